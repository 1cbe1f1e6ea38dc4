"""The README's picture: a page about Fashion-MNIST in a browser, light and dark.

    python -m benchmarks.report.picture

Needs Debian's packages dataset-fashion-mnist (MIT), chromium and chromium-driver. Of 3000 of its test images every
twentieth gets a wrong label; a perceptron is audited, somebody who knows the truth looks at a queue of 120 up to its
fortieth place, and the page is photographed as it then is.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from dataaudit.demo import plant_label_errors

DATA = Path("/usr/share/datasets/fashion-mnist")
FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
CLASSES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
IMAGES, QUEUE, LOOKED, COLOURS = 3000, 120, 40, 256
WIDTH, HEIGHT = 1200, 1030


def read(name: str, skipped: int) -> Any:
    """Bytes of a file of the data set behind its head."""
    return np.frombuffer(gzip.decompress((DATA / name).read_bytes()), np.uint8, offset=skipped)


def page(path: Path) -> tuple[str, str]:
    """Write the page; returns what a browser that has looked at some of it remembers, and under which name."""
    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:IMAGES]
    truth = read("t10k-labels-idx1-ubyte.gz", 8)[:IMAGES].astype(np.int64)
    names = np.array(CLASSES)
    labels = names[plant_label_errors(truth, 10, 0.05, 0)[0]]
    model = dataaudit.networks.build("mlp", images.shape[1:], 10)
    recipe = dataaudit.Recipe(epochs=10, batch_size=64)
    audit = dataaudit.score(model, (images, labels), recipe=recipe, progress=False)
    queue = audit.review(QUEUE)
    audit.report(path, rows=queue, title="Fashion-MNIST: 3000 images, 150 wrong labels planted")
    rows = queue.table["row"].to_numpy()[:LOOKED]
    position = {name: at for at, name in enumerate(audit.class_names)}
    decisions = [
        [row, "keep", None, "", None]
        if labels[row] == names[truth[row]]
        else [row, "relabel", position[names[truth[row]]], "", None]
        for row in rows.tolist()
    ]
    about = json.loads(path.read_text("utf-8").split('id="data">')[1].split("</script>")[0])["about"]
    return about["memory"], json.dumps({"reviewer": "", "decisions": decisions})


def photographs(path: Path, memory: str, decisions: str) -> None:
    """Write the pictures of the page."""
    from PIL import Image
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    try:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(path.as_uri())
        driver.execute_script("localStorage.setItem(...arguments)", memory, decisions)
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            driver.get(path.as_uri())
            driver.execute_script("document.querySelector('#review').scrollIntoView({ behavior: 'instant' })")
            shot = Image.open(io.BytesIO(base64.b64decode(driver.get_screenshot_as_base64()))).convert("RGB")
            file = FOLDER / f"page-{scheme}.png"
            shot.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
            print(f"{file}: {file.stat().st_size / 1000:.0f} kB, {shot.width} x {shot.height}")
    finally:
        driver.quit()


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"{DATA} is not there: apt-get install -y dataset-fashion-mnist, and run this again")
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        sys.exit("no browser is on the path: apt-get install -y chromium chromium-driver, and run this again")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        photographs(path, *page(path))


if __name__ == "__main__":
    main()
