"""A headless Chromium, spoken to over a pipe in its DevTools protocol: no port, no package."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SMALL_PHONE, PHONE, DESK = 360, 390, 1280  # pixels wide
UPRIGHT, ACROSS = 688, 1047  # A4 without its margins, as style.css sets them
_PATIENCE_S = 120.0
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip


@dataclass
class Page:
    """One tab. `asked` holds every address it asked for, `complaints` what its console said."""

    browser: "Browser"
    session: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    loads: int = 0

    def open(
        self,
        path: Path,
        *,
        width: int = DESK,
        dark: bool = False,
        paper: bool = False,
        fragment: str = "",
        scripts: bool = True,
    ) -> None:
        """Load a file as it looks on a screen or paper so wide; wait until all of it is there."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width <= PHONE}
        self.send("Emulation.setDeviceMetricsOverride", **screen)
        medium = "print" if paper else "screen"
        self.send("Emulation.setEmulatedMedia", media=medium, features=[scheme])
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._load("about:blank")  # or another fragment of the same page loads nothing
        self.asked.clear()
        self.complaints.clear()
        self._load(path.resolve().as_uri() + (f"#{fragment}" if fragment else ""))

    def _load(self, url: str) -> None:
        before = self.loads
        self.send("Page.navigate", url=url)
        self.browser.wait(lambda: self.loads > before)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page; of a promise, once it is kept."""
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self.send("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and let go a key."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}  # what makes it a press of a button
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
            self.send("Input.dispatchKeyEvent", **event, **text)

    def picture(self, *, whole: bool = True) -> bytes:
        """A PNG of the page, or of what the screen shows."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        return base64.b64decode(shot["data"])

    def print(self) -> bytes:
        """The page on paper, as a PDF."""
        return base64.b64decode(self.send("Page.printToPDF", printBackground=True)["data"])

    def send(self, method: str, **values: Any) -> dict[str, Any]:
        """Give this tab a command; return its answer."""
        return self.browser.send(method, self.session, **values)


class Browser:
    """A running Chromium. Use `running` to start one."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._buffer = b""
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._pages: dict[str, Page] = {}

    def tab(self) -> Page:
        """A new tab that listens to its network and its console."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.send(f"{domain}.enable")
        return page

    def send(self, method: str, session: str | None = None, **values: Any) -> dict[str, Any]:
        """Give a command; return its answer."""
        self._number += 1
        number = self._number
        command = {"id": number, "method": method, "params": values}
        if session:
            command["sessionId"] = session
        os.write(self._write, json.dumps(command).encode() + b"\0")
        self.wait(lambda: number in self._answers)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, done: Any) -> None:
        """Take messages until something is so."""
        end = time.monotonic() + _PATIENCE_S
        while not done():
            left = end - time.monotonic()
            assert left > 0, f"Chromium said nothing for {_PATIENCE_S:.0f} s"
            if select.select([self._read], [], [], left)[0]:
                chunk = os.read(self._read, 1 << 20)
                assert chunk, "Chromium is gone"
                *messages, self._buffer = (self._buffer + chunk).split(b"\0")
                for message in messages:
                    self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
            return
        page = self._pages.get(message.get("sessionId", ""))
        values = message["params"]
        match message["method"], page:
            case _, None:
                pass
            case "Page.loadEventFired", Page():
                page.loads += 1
            case "Network.requestWillBeSent", Page():
                page.asked.append(values["request"]["url"])
            case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded", Page():
                page.complaints.append(json.dumps(values))


@contextmanager
def running(profile: Path) -> Iterator[Browser]:
    """Start Chromium with a profile of its own; end it afterwards."""
    assert CHROMIUM is not None
    to_chromium, write = os.pipe()
    read, from_chromium = os.pipe()
    remap = f'exec "$0" "$@" 3<&{to_chromium} 4>&{from_chromium}'
    process = subprocess.Popen(
        ["bash", "-c", remap, CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(to_chromium, from_chromium), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_chromium)
    os.close(from_chromium)
    try:
        yield Browser(read, write)
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE_S)
        os.close(read)
        os.close(write)
