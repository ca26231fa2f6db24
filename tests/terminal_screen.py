"""A command in a terminal of its own, and what stands on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

TOKEN = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


class Screen:
    """Knows what our display may send, and nothing else: all else is garbage and fails."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines = [""]
        self.row = self.column = 0
        self.cursor_shown = True
        self.colours: set[str] = set()

    def feed(self, text: str) -> None:
        end = 0
        for token in TOKEN.finditer(text):
            assert token.start() == end, f"garbage: {text[end : token.start()]!r}"
            end = token.end()
            number, letter, back, new, letters = token.groups()
            if letter:
                self._control(number, letter)
            elif back:
                self.column = 0
            elif new:
                self._next_line()
            else:
                self._write(letters)
        assert end == len(text), f"garbage: {text[end:]!r}"

    def _control(self, number: str, letter: str) -> None:
        if letter == "m":
            self.colours.update(one for one in number.split(";") if re.fullmatch("[349]\\d", one))
        elif letter == "K":
            self.lines[self.row] = "" if number == "2" else self.lines[self.row][: self.column]
        elif letter == "A":
            self.row -= int(number or 1)
            assert self.row >= 0, "above the top"
        elif number == "?25":
            self.cursor_shown = letter == "h"
        else:
            raise AssertionError(f"garbage: CSI {number}{letter}")

    def _write(self, letters: str) -> None:
        while letters:
            if self.column == self.columns:  # the line is full: the next letter breaks it
                self.column = 0
                self._next_line()
            part = letters[: self.columns - self.column]
            letters = letters[len(part) :]
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + part + line[self.column + len(part) :]
            self.column += len(part)

    def _next_line(self) -> None:
        self.row += 1
        self.lines += [""] * (self.row + 1 - len(self.lines))

    def shown(self) -> list[str]:
        return [line.rstrip() for line in self.lines if line.strip()]


class Terminal:
    """A Python program that has a terminal of that many columns and lines."""

    def __init__(
        self, program: Sequence[object], size: tuple[int, int], folder: Path, **environment: str
    ) -> None:
        self.columns, lines = size
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, self.columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.raw = b""
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", *map(str, program)],
            **dict.fromkeys(("stdin", "stdout", "stderr"), self.slave),
            cwd=folder,
            env=environment,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.slave)
        os.close(self.master)

    def until(self, seen: bytes, seconds: float = 120) -> list[str]:
        """What stands on the screen when that was written, and nothing more for a moment."""
        late = time.monotonic() + seconds
        while self._read() or seen not in self.raw:
            assert self.process.poll() is None, self.raw[-2000:]
            assert time.monotonic() < late, self.raw[-2000:]
        return self.screen().shown()

    def end(self, seconds: float = 120) -> Screen:
        """What the ended command leaves."""
        self.process.wait(seconds)
        while self._read():
            pass
        assert termios.tcgetattr(self.slave) == self.before
        return self.screen()

    def screen(self) -> Screen:
        screen = Screen(self.columns)
        screen.feed(self.raw.decode())
        return screen

    def _read(self) -> bool:
        """Whether there was anything within a moment."""
        if not select.select([self.master], [], [], 0.1)[0]:
            return False
        self.raw += os.read(self.master, 65536)
        return True
