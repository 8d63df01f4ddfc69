# The peer of `npm run bench:search`: faiss' flat index, driven line by line.
#
#   python3 faiss_flat.py GALLERY QUERIES DIMENSION K
#
# Both files hold rows of float32, each of length 1. It prints "ready VERSION"; then, for each line "COUNT THREADS", the
# milliseconds of a search by the first COUNT queries together, and the items found for the first of them.
import sys
import time

import faiss
import numpy

gallery, queries, dimension, k = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
index = faiss.IndexFlatIP(dimension)
rows = numpy.memmap(gallery, dtype=numpy.float32, mode="r").reshape(-1, dimension)
for first in range(0, len(rows), 1 << 18):
    index.add(numpy.ascontiguousarray(rows[first : first + (1 << 18)]))
wanted = numpy.fromfile(queries, dtype=numpy.float32).reshape(-1, dimension)
print("ready", faiss.__version__, flush=True)
for line in sys.stdin:
    count, threads = (int(word) for word in line.split())
    faiss.omp_set_num_threads(threads)
    start = time.perf_counter()
    _, items = index.search(wanted[:count], k)
    print(1000 * (time.perf_counter() - start), *items[0], flush=True)
