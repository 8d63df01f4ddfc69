#!/bin/bash
# scripts/on-newer-lavapipe.sh FILE [argument ...]
# Runs a TypeScript file, a test suite for instance, on the lavapipe of Debian 13's backports, beside whatever is installed here. That one has
# matrix units (16-bit factors, float32 sums), which lavapipe of Mesa 25.0 has not:
#
#   scripts/on-newer-lavapipe.sh test/kernels/convolution_f16.test.ts
#   scripts/on-newer-lavapipe.sh test/kernels/convolution-matrix.test.ts
#
# Takes the packages (some 70 MB) from the Debian mirror that apt uses here and unpacks them into the cache folder, once; nothing is installed.
# Node runs under their C library, which newer Mesa needs. Needs: Debian or a relative of it with apt-get and dpkg, on the same processor.
set -euo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}/sketchgrad/lavapipe-of-debian-13"
root="$cache/root"

if [ ! -e "$cache/complete" ]; then
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/$' | head -n 1)
  if [ -z "$mirror" ]; then
    echo "$0: apt has no Debian mirror here; run apt-get update first" >&2
    exit 1
  fi
  mkdir -p "$cache"/{lists,archives}/partial "$root"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  printf "deb [signed-by=$keyring] $mirror %s main\n" trixie trixie-backports > "$cache/sources.list"
  apt=(apt-get -qq -o "Dir::Etc::sourcelist=$cache/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::Lists=$cache/lists"
    -o "Dir::Cache=$cache" -o "Dir::Cache::archives=$cache/archives" -o Dir::State::status=/dev/null -o APT::Sandbox::User=root)
  "${apt[@]}" update
  "${apt[@]}" --yes --no-install-recommends --download-only --target-release trixie-backports install mesa-vulkan-drivers libvulkan1 libstdc++6
  for package in "$cache"/archives/*.deb; do dpkg -x "$package" "$root"; done
  rm -r "$cache/archives" "$cache/lists"
  touch "$cache/complete"
fi

libraries=$(dirname "$(find "$root/usr/lib" -name libvulkan_lvp.so)")
driver="$cache/lavapipe.json"
sed "s#\"libvulkan_lvp.so\"#\"$libraries/libvulkan_lvp.so\"#" "$root"/usr/share/vulkan/icd.d/lvp_icd*.json > "$driver"
export VK_DRIVER_FILES="$driver"
exec "$(find "$root" -name 'ld-linux*.so.*' -not -type d | head -n 1)" --library-path "$libraries" "$(command -v node)" --import tsx "$@"
