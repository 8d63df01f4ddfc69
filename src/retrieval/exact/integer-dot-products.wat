;; Dot products of one-byte rows with 16-bit queries, in 32-bit integers, which are exact in any order of summation.
;;
;; The memory holds rows of $width bytes, a multiple of 16, one after the other. Sixteen bytes of a row become two
;; vectors of eight 16-bit integers, which i32x4.dot_i16x8_s multiplies with the query and adds in pairs.
(module
  (import "host" "memory" (memory 1))

  ;; The four numbers of a vector, added.
  (func $sum (param $v v128) (result i32)
    (local $pairs v128)
    (local.set $pairs
      (i32x4.add (local.get $v)
        (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $v) (local.get $v))))
    (i32.add (i32x4.extract_lane 0 (local.get $pairs)) (i32x4.extract_lane 1 (local.get $pairs))))

  ;; One query [width] of 16-bit integers with $count rows: sums [count].
  ;; Four rows at once, so that each part of the query is loaded once for four products.
  (func (export "one") (param $query i32) (param $rows i32) (param $width i32) (param $count i32) (param $sums i32)
    (local $at i32) (local $end i32) (local $q i32)
    (local $row1 i32) (local $row2 i32) (local $row3 i32)
    (local $low v128) (local $high v128) (local $bytes v128)
    (local $a0 v128) (local $a1 v128) (local $a2 v128) (local $a3 v128)
    (local $last i32)
    (local.set $last
      (i32.add (local.get $sums) (i32.mul (i32.and (local.get $count) (i32.const -4)) (i32.const 4))))
    (block $fours_done
      (loop $fours
        (br_if $fours_done (i32.ge_u (local.get $sums) (local.get $last)))
        (local.set $at (local.get $rows))
        (local.set $end (i32.add (local.get $rows) (local.get $width)))
        (local.set $row1 (local.get $width))
        (local.set $row2 (i32.shl (local.get $width) (i32.const 1)))
        (local.set $row3 (i32.add (local.get $row2) (local.get $width)))
        (local.set $q (local.get $query))
        (local.set $a0 (v128.const i32x4 0 0 0 0))
        (local.set $a1 (v128.const i32x4 0 0 0 0))
        (local.set $a2 (v128.const i32x4 0 0 0 0))
        (local.set $a3 (v128.const i32x4 0 0 0 0))
        (loop $part
          (local.set $low (v128.load (local.get $q)))
          (local.set $high (v128.load offset=16 (local.get $q)))
          (local.set $bytes (v128.load (local.get $at)))
          (local.set $a0 (i32x4.add (local.get $a0) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (local.get $low))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (local.get $high)))))
          (local.set $bytes (v128.load (i32.add (local.get $at) (local.get $row1))))
          (local.set $a1 (i32x4.add (local.get $a1) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (local.get $low))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (local.get $high)))))
          (local.set $bytes (v128.load (i32.add (local.get $at) (local.get $row2))))
          (local.set $a2 (i32x4.add (local.get $a2) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (local.get $low))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (local.get $high)))))
          (local.set $bytes (v128.load (i32.add (local.get $at) (local.get $row3))))
          (local.set $a3 (i32x4.add (local.get $a3) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (local.get $low))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (local.get $high)))))
          (local.set $q (i32.add (local.get $q) (i32.const 32)))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br_if $part (i32.lt_u (local.get $at) (local.get $end))))
        (i32.store (local.get $sums) (call $sum (local.get $a0)))
        (i32.store offset=4 (local.get $sums) (call $sum (local.get $a1)))
        (i32.store offset=8 (local.get $sums) (call $sum (local.get $a2)))
        (i32.store offset=12 (local.get $sums) (call $sum (local.get $a3)))
        (local.set $sums (i32.add (local.get $sums) (i32.const 16)))
        (local.set $rows (i32.add (local.get $end) (local.get $row3)))
        (br $fours)))
    ;; The rows that are left, one by one.
    (local.set $last
      (i32.add (local.get $sums) (i32.mul (i32.and (local.get $count) (i32.const 3)) (i32.const 4))))
    (block $done
      (loop $ones
        (br_if $done (i32.ge_u (local.get $sums) (local.get $last)))
        (local.set $end (i32.add (local.get $rows) (local.get $width)))
        (local.set $q (local.get $query))
        (local.set $a0 (v128.const i32x4 0 0 0 0))
        (loop $part
          (local.set $bytes (v128.load (local.get $rows)))
          (local.set $a0 (i32x4.add (local.get $a0) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (v128.load (local.get $q)))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (v128.load offset=16 (local.get $q))))))
          (local.set $q (i32.add (local.get $q) (i32.const 32)))
          (local.set $rows (i32.add (local.get $rows) (i32.const 16)))
          (br_if $part (i32.lt_u (local.get $rows) (local.get $end))))
        (i32.store (local.get $sums) (call $sum (local.get $a0)))
        (local.set $sums (i32.add (local.get $sums) (i32.const 4)))
        (br $ones))))

  ;; Four queries [4, width], one after the other, with $count rows: sums [4, stride], in bytes between the queries'.
  ;; A row's sixteen bytes are widened once for four products.
  (func (export "four")
    (param $query i32) (param $rows i32) (param $width i32) (param $count i32) (param $sums i32) (param $stride i32)
    (local $end i32) (local $q i32) (local $last i32)
    (local $query1 i32) (local $query2 i32) (local $query3 i32)
    (local $low v128) (local $high v128) (local $bytes v128)
    (local $a0 v128) (local $a1 v128) (local $a2 v128) (local $a3 v128)
    (local.set $query1 (i32.shl (local.get $width) (i32.const 1)))
    (local.set $query2 (i32.shl (local.get $width) (i32.const 2)))
    (local.set $query3 (i32.add (local.get $query1) (local.get $query2)))
    (local.set $last (i32.add (local.get $sums) (i32.mul (local.get $count) (i32.const 4))))
    (block $done
      (loop $row
        (br_if $done (i32.ge_u (local.get $sums) (local.get $last)))
        (local.set $end (i32.add (local.get $rows) (local.get $width)))
        (local.set $q (local.get $query))
        (local.set $a0 (v128.const i32x4 0 0 0 0))
        (local.set $a1 (v128.const i32x4 0 0 0 0))
        (local.set $a2 (v128.const i32x4 0 0 0 0))
        (local.set $a3 (v128.const i32x4 0 0 0 0))
        (loop $part
          (local.set $bytes (v128.load (local.get $rows)))
          (local.set $low (i16x8.extend_low_i8x16_s (local.get $bytes)))
          (local.set $high (i16x8.extend_high_i8x16_s (local.get $bytes)))
          (local.set $a0 (i32x4.add (local.get $a0) (i32x4.add
            (i32x4.dot_i16x8_s (local.get $low) (v128.load (local.get $q)))
            (i32x4.dot_i16x8_s (local.get $high) (v128.load offset=16 (local.get $q))))))
          (local.set $a1 (i32x4.add (local.get $a1) (i32x4.add
            (i32x4.dot_i16x8_s (local.get $low) (v128.load (i32.add (local.get $q) (local.get $query1))))
            (i32x4.dot_i16x8_s (local.get $high) (v128.load offset=16 (i32.add (local.get $q) (local.get $query1)))))))
          (local.set $a2 (i32x4.add (local.get $a2) (i32x4.add
            (i32x4.dot_i16x8_s (local.get $low) (v128.load (i32.add (local.get $q) (local.get $query2))))
            (i32x4.dot_i16x8_s (local.get $high) (v128.load offset=16 (i32.add (local.get $q) (local.get $query2)))))))
          (local.set $a3 (i32x4.add (local.get $a3) (i32x4.add
            (i32x4.dot_i16x8_s (local.get $low) (v128.load (i32.add (local.get $q) (local.get $query3))))
            (i32x4.dot_i16x8_s (local.get $high) (v128.load offset=16 (i32.add (local.get $q) (local.get $query3)))))))
          (local.set $q (i32.add (local.get $q) (i32.const 32)))
          (local.set $rows (i32.add (local.get $rows) (i32.const 16)))
          (br_if $part (i32.lt_u (local.get $rows) (local.get $end))))
        (i32.store (local.get $sums) (call $sum (local.get $a0)))
        (i32.store (i32.add (local.get $sums) (local.get $stride)) (call $sum (local.get $a1)))
        (i32.store (i32.add (local.get $sums) (i32.shl (local.get $stride) (i32.const 1))) (call $sum (local.get $a2)))
        (i32.store (i32.add (local.get $sums) (i32.mul (local.get $stride) (i32.const 3))) (call $sum (local.get $a3)))
        (local.set $sums (i32.add (local.get $sums) (i32.const 4)))
        (br $row)))))
