#!/usr/bin/env bash
# Everything that is measured on one card, within six minutes; results are appended to CSV files as they come.
#
#     bash benchmarks/gpu.sh          on a card: fails, and says so, where there is none
#     bash benchmarks/gpu.sh --dry    the least of each part on a CPU, the kernels in Triton's interpreter; keeps nothing
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

if [ "${1:-}" = "--dry" ]; then
    TRITON_INTERPRET=1 "$python" -m benchmarks.kernels.gpu --dry
    exec "$python" -m benchmarks.speed.card --device cpu --dry
fi

"$python" -c '
import sys, torch
if not torch.cuda.is_available():
    sys.exit("found no CUDA device: nothing was measured; bash benchmarks/gpu.sh --dry tries the suite on a CPU")
print(torch.cuda.get_device_name())'

# Each part has its share of the time, so that one that hangs leaves the others theirs.
status=0
timeout 150 "$python" -m benchmarks.kernels.gpu --repeats 3 --no-keops || status=1
for part in score holdout neighbours; do
    timeout 65 "$python" -m benchmarks.speed.card --part "$part" || status=1
done
exit "$status"
