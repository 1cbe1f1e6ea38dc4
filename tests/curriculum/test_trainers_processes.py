"""The transformers Trainer in two processes over gloo."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from dataaudit.curriculum.trainers import RecordDynamics
from dataaudit.dynamics.recorder import Recorder

HERE = Path(__file__).with_name("test_trainers_huggingface.py")

WORKER = """
import importlib.util, sys
from pathlib import Path
import numpy as np, torch, torch.distributed as dist

spec = importlib.util.spec_from_file_location("single", sys.argv[1])
single = importlib.util.module_from_spec(spec)
spec.loader.exec_module(single)
folder = Path(sys.argv[2])
two = {"per_device_train_batch_size": 4, "ddp_backend": "gloo"}

# 37 rows in batches of 2 x 4: the last are filled up with rows seen before.
whole = single.RecordDynamics()
weights = 1.0 + np.arange(single.N)
drawn = {"sampling": single.CurriculumSampler(weights, replacement=False, seed=3)}
undisturbed = single.trained(folder / "whole", callbacks=[whole], extra=drawn, **two)
assert undisturbed.args.world_size == 2
assert whole.recorder.dynamics().seen.tolist() == [3] * single.N

# Broken off in the middle of the second epoch.
drawn = {"sampling": single.CurriculumSampler(weights, replacement=False, seed=3)}
stopped = single.StopAt(7, kindly=True)
saving = {"save_strategy": "steps", "save_steps": 1000, **two}
single.trained(folder / "broken", callbacks=[single.RecordDynamics(), stopped], extra=drawn, **saving)
drawn = {"sampling": single.CurriculumSampler(weights, replacement=False, seed=3)}
resumed = single.RecordDynamics()
trainer = single.curriculum_trainer()(
    model=single.model(), args=single.arguments(folder / "broken", **saving), train_dataset=single.examples(),
    data_collator=single.pad, callbacks=[resumed], **drawn)
trainer.train(resume_from_checkpoint=True)
single.same_weights(single.weights_of(undisturbed), single.weights_of(trainer))
single.same_record(resumed.recorder, whole.recorder)

even = single.RecordDynamics()
single.trained(folder / "even", net=single.model(dropout=0.0), callbacks=[even], rows=single.examples(32),
               optim="sgd", extra={"loss_weights": np.linspace(0.5, 2, 32)}, **two)
if dist.get_rank() == 0:
    torch.save(even.recorder.state_dict(), folder / "even.pt")
dist.barrier()
dist.destroy_process_group()
print("done")
"""


def test_two_processes_record_what_one_does(tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "worker.py"), str(HERE), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=240) for process in both]
    finally:
        for process in both:
            process.kill()
    assert [output.strip().endswith("done") for output, _ in outputs] == [True, True], outputs

    specification = importlib.util.spec_from_file_location("single", HERE)
    single = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(single)
    gathered, alone = Recorder(32, 3), RecordDynamics()
    gathered.load_state_dict(torch.load(tmp_path / "even.pt", weights_only=True))
    options = {"optim": "sgd", "extra": {"loss_weights": np.linspace(0.5, 2, 32)}}
    single.trained(tmp_path, net=single.model(dropout=0.0), callbacks=[alone], rows=single.examples(32), **options)
    found, wanted = gathered.dynamics(), alone.recorder.dynamics()
    # Gradients that are averaged over processes are rounded otherwise.
    for name in ("mean_margin", "mean_confidence", "mean_el2n", "cumulative_loss", "mean_probabilities"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(found.seen, wanted.seen)
    np.testing.assert_array_equal(gathered.labels, alone.recorder.labels)
