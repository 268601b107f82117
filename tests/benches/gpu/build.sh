#!/bin/sh
# Builds pixdex for NVIDIA cards on a machine that has neither such a card nor the CUDA toolkit.
#
#   tests/benches/gpu/build.sh [FOLDER]
#
# Brings CUDA 13.0 from PyPI (1.2 GB) into FOLDER, `target/cuda` by default, makes a stand-in for the driver library,
# which only a driver brings, builds the program and the bench `embed` with the cargo feature `cuda`, and leaves them,
# stripped, in FOLDER/programs, to be taken along to a machine with a card. `run.py` is what to run there.
# Wants cargo, a C and C++ compiler and python3 with pip. What is there already is left as it is.
# CUDA_COMPUTE_CAP says for which cards: 90 (H100, H200) unless set; 80 is A100, 89 RTX 40, 120 RTX 50.
set -eu
cd "$(dirname "$0")/../../.."
folder=${1:-${CARGO_TARGET_DIR:-target}/cuda}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
toolkit=$folder/nvidia/cu13

# All of one release: a driver of release 580 or later runs it.
if [ ! -x "$toolkit/bin/nvcc" ]; then
  python3 -m pip install --quiet --no-deps --target "$folder" 'nvidia-cuda-nvcc==13.0.*' 'nvidia-cuda-runtime==13.0.*' \
    'nvidia-cuda-cccl==13.0.*' 'nvidia-cuda-crt==13.0.*' 'nvidia-nvvm==13.0.*' 'nvidia-cublas==13.0.*' \
    'nvidia-cuda-nvrtc==13.0.*' 'nvidia-curand==10.*'
fi

# The wheels carry libraries under their versioned names only; the linker asks for the plain ones.
for library in cublas cublasLt cudart curand nvrtc; do
  versioned=$(cd "$toolkit/lib" && ls "lib$library".so.* | head -n 1)
  ln -sf "$versioned" "$toolkit/lib/lib$library.so"
done
ln -sfn lib "$toolkit/lib64"

# An empty function for every name of the driver that the bindings know is enough to link.
if [ ! -e "$toolkit/lib/libcuda.so" ]; then
  cargo fetch --locked
  bindings=$(cargo metadata --locked --format-version 1 --features cuda | python3 -c '
import json, pathlib, sys
[cudarc] = [package for package in json.load(sys.stdin)["packages"] if package["name"] == "cudarc"]
print(pathlib.Path(cudarc["manifest_path"]).parent / "src" / "driver")')
  grep -rhoE '\bcu[A-Z][A-Za-z0-9_]*' "$bindings" | sort -u | sed 's/.*/void &(void) {}/' >"$folder/driver.c"
  cc -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$toolkit/lib/libcuda.so" "$folder/driver.c"
fi

export CUDA_HOME="$toolkit" CUDA_PATH="$toolkit" CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-90}"
export PATH="$toolkit/bin:$PATH" LIBRARY_PATH="$toolkit/lib${LIBRARY_PATH:+:$LIBRARY_PATH}"
# The kernels take half an hour on two idle cores, once.
cargo build --locked --release --features cuda
programs=$folder/programs
mkdir -p "$programs"
strip -o "$programs/pixdex" "${CARGO_TARGET_DIR:-target}/release/pixdex"

bench=$(cargo bench --locked --features cuda --no-run --bench embed --message-format json | python3 -c '
import json, sys
built = [line for line in map(json.loads, sys.stdin) if line.get("executable")]
print(*[line["executable"] for line in built if line["target"]["name"] == "embed"])')

strip -o "$programs/embed" "$bench"

ls -l "$programs"
readelf -d "$programs/pixdex" | grep NEEDED
