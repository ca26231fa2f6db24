"""A run's folder: manifest, samples, responses and scores, and what is written from them.

    <output>/<model>/<run_id>/manifest.json       what was asked of whom, written first
                              run.sqlite          committed as answers arrive
                              results.json        one row a number
                              samples/<task>.parquet

Nothing grows with the number of samples but the file: rows are read in pages, in the order in which
they are needed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from math import isfinite
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from towereval.data.media import write_atomically
from towereval.database import Transaction, connect, connect_reading, is_key, share_lock, take_lock
from towereval.errors import StoreError
from towereval.manifest import SCHEMA, read_manifest
from towereval.records import dump, load_request, load_sample
from towereval.segments import Segments
from towereval.types import Request, Response, Sample, Score

PAGE = 500
# A request without an answer; an error is not an answer.
_OPEN = (
    "NOT EXISTS (SELECT 1 FROM responses AS r WHERE r.question = requests.question"
    " AND r.error = '')"
)
_ANSWERS = "FROM questions JOIN responses ON question = ordinal"


class Store:
    """An open run. One process at a time: a second one is told the first one's host and pid.

    `reading` opens it beside other readers, also on a read-only disk, and leaves every byte as it
    is. While a run is written it cannot be read, nor written while it is read: what is compared is
    never half of a run.
    """

    def __init__(self, folder: Path, *, reading: bool = False) -> None:
        self.folder = folder
        # The numbers of what was handed out: answers need not be looked for among all questions.
        self._asked: dict[str, int] = {}
        self._lock: int | None = None
        try:
            if reading:
                self._lock = share_lock(folder / ".lock")
            else:
                folder.mkdir(parents=True, exist_ok=True)
                self._lock = take_lock(folder / ".lock")
        except OSError as error:
            raise StoreError(f"{folder}: cannot open the run: {error}") from error
        try:
            self._db = (connect_reading if reading else connect)(folder / "run.sqlite")
        except StoreError:
            self._unlock()
            raise
        except sqlite3.Error as error:
            self._unlock()
            raise StoreError(f"{folder}: cannot open the run: {error}") from error
        self.segments = Segments(self._db, folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"{self.folder}/run.sqlite: {error}") from error

    def close(self) -> None:
        self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)

    # --- manifest ---

    def manifest(self) -> dict[str, Any]:
        return read_manifest(self.folder)

    def earlier_manifest(self) -> dict[str, Any]:
        """That of an earlier start of the same run, empty at the first."""
        return self.manifest() if (self.folder / "manifest.json").exists() else {}

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        self._write_json("manifest.json", {"schema": SCHEMA, **manifest})

    # --- samples and requests ---

    def replace_samples(self, rows: Iterable[tuple[str, Sample, Sequence[Request]]]) -> None:
        """Samples and requests as the tasks give them now; answers stay, found by their key."""
        with self._transaction():
            for table in ("published", "scores", "requests", "media", "samples"):
                self._db.execute(f"DELETE FROM {table}")
            for task, sample, requests in rows:
                self._add(task, sample, requests)

    def _add(self, task: str, sample: Sample, requests: Sequence[Request]) -> None:
        try:
            position = self._db.execute(
                "INSERT INTO samples (task, id, language, grp, cluster, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(task, storable(sample.id), sample.language),
                    *(storable(sample.group), storable(sample.cluster), dump(sample)),
                ),
            ).lastrowid
        except sqlite3.IntegrityError as error:
            raise StoreError(
                f"{task}: two samples have the id {sample.id!r} in {sample.language}"
            ) from error
        for request in requests:
            sha256 = " ".join(part.sha256 for part in request.media)
            self._db.execute("INSERT OR IGNORE INTO media (sha256) VALUES (?)", (sha256,))
            self._db.execute(
                "INSERT INTO requests (sample, question, media, body)"
                " SELECT ?, ?, ordinal, ? FROM media WHERE sha256 = ?",
                (position, self._question(request.key), dump(request), sha256),
            )

    def _question(self, key: str) -> int:
        """The number of the question with this key; a new one where it is new."""
        query = f"SELECT ordinal FROM questions WHERE {is_key('?1')}"
        if row := self._db.execute(query, (key,)).fetchone():
            return int(row[0])
        new = self._db.execute("INSERT INTO questions (key) VALUES (?)", (key,)).lastrowid
        assert new is not None
        return new

    def tasks(self) -> list[str]:
        return [
            row[0]
            for row in self._db.execute(
                "SELECT task FROM samples GROUP BY task ORDER BY MIN(position)"
            )
        ]

    def unanswered(self) -> Iterator[Request]:
        """Requests without an answer; those that show the same pictures come one after the other.

        A key that several samples share comes once.
        """
        query = (
            "SELECT media, position, question, body,"
            " (SELECT key FROM questions WHERE ordinal = question) FROM requests"
            f" WHERE {{}} AND {_OPEN} AND NOT EXISTS (SELECT 1 FROM requests"
            " AS twin WHERE twin.question = requests.question"
            " AND twin.position < requests.position)"
            " ORDER BY media, position LIMIT ?"
        )
        # Not as (media, position) > (?, ?): that begins at the picture's first request each time.
        same, later = query.format("media = ? AND position > ?"), query.format("media > ?")
        media, position = 0, 0
        while True:
            page = self._db.execute(same, (media, position, PAGE)).fetchall()
            page += self._db.execute(later, (media, PAGE - len(page))).fetchall()
            if not page:
                return
            for *_, question, body, key in page:
                self._asked[key] = question
                yield load_request(body)
            media, position, *_ = page[-1]

    def asked(self) -> Iterator[Request]:
        """All requests, answered or not, each key once."""
        query = "SELECT body FROM requests GROUP BY question ORDER BY MIN(position)"
        return (load_request(body) for (body,) in self._db.execute(query))

    def is_answered(self, key: str) -> bool:
        query = f"SELECT 1 {_ANSWERS} WHERE {is_key('?1')} AND error = ''"
        return self._db.execute(query, (key,)).fetchone() is not None

    def count_unanswered(self) -> int:
        query = f"SELECT COUNT(DISTINCT question) FROM requests WHERE {_OPEN}"
        return int(self._db.execute(query).fetchone()[0])

    def count_questions(self) -> int:
        """Different requests, answered or not."""
        query = "SELECT COUNT(DISTINCT question) FROM requests"
        return int(self._db.execute(query).fetchone()[0])

    # --- responses ---

    def add_responses(
        self,
        responses: Iterable[Response],
        *,
        every: float = 0.5,
        kept: Callable[[Iterable[int]], None] | None = None,
    ) -> Generator[Response, None, None]:
        """Store each response and hand it on; commit every so many seconds and at the end.

        What was handed on longer ago than that survives a kill; a failed request's error is kept
        until it is answered. `kept` is told the questions that a commit has answered.
        """
        batch: list[Response] = []
        committed = time.monotonic()
        try:
            for response in responses:
                batch.append(response)
                if time.monotonic() - committed >= every or len(batch) >= PAGE:
                    self._commit(batch, kept)
                    batch, committed = [], time.monotonic()
                yield response
        finally:
            self._commit(batch, kept)

    def _commit(
        self, batch: Sequence[Response], kept: Callable[[Iterable[int]], None] | None
    ) -> None:
        with self._transaction():
            questions = [self._asked.pop(r.key, 0) or self._question(r.key) for r in batch]
            self._db.execute("DELETE FROM published")
            self._db.executemany(
                "INSERT OR REPLACE INTO responses"
                " (question, text, logprob, token_count, error, seconds) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(question, storable(r.text), r.logprob),
                        *(r.token_count, storable(r.error), r.seconds),
                    )
                    for question, r in zip(questions, batch, strict=True)
                ],
            )
        if kept:
            kept(questions)

    def response(self, key: str) -> Response | None:
        columns = "key, text, logprob, token_count, error, seconds"
        row = self._db.execute(
            f"SELECT {columns} {_ANSWERS} WHERE {is_key('?1')}", (key,)
        ).fetchone()
        return Response(*row) if row else None

    def answered_requests(self, count: int, rng: Random) -> Iterator[tuple[Request, str]]:
        """At most `count` requests whose answer is a text, drawn at random, with their answers."""
        query = (
            "SELECT MIN(position) FROM requests JOIN responses USING (question)"
            " WHERE error = '' AND logprob IS NULL GROUP BY question ORDER BY 1"
        )
        positions = [row[0] for row in self._db.execute(query)]
        for position in rng.sample(positions, min(count, len(positions))):
            query = (
                "SELECT body, text FROM requests JOIN responses USING (question) WHERE position = ?"
            )
            body, text = self._db.execute(query, (position,)).fetchone()
            yield load_request(body), text

    def progress(self) -> list[tuple[str, int, int, int, int]]:
        """By task: where its samples begin and end, its requests, and those with an answer."""
        ends = "MIN(samples.position), MAX(samples.position)"
        query = (
            f"SELECT task, {ends}, COUNT(*), COUNT(*) - SUM({_OPEN})"
            " FROM samples JOIN requests ON requests.sample = samples.position"
            " GROUP BY task ORDER BY 2"
        )
        return list(self._db.execute(query))

    def asked_by(self, questions: Iterable[int]) -> list[tuple[int, bool]]:
        """Each request with one of these answers: its sample's position, and whether it failed."""
        query = (
            "SELECT sample, error != '' FROM requests JOIN responses USING (question)"
            " WHERE question IN (SELECT value FROM json_each(?))"
        )
        return list(self._db.execute(query, (json.dumps(list(questions)),)))

    # --- scores ---

    def answered_at(self, positions: Iterable[int]) -> Iterator[tuple[int, Sample, list[Response]]]:
        """Those of the samples of which every request has an answer, as `answered`."""
        among, wanted = "IN (SELECT value FROM json_each(?))", (json.dumps(list(positions)),)
        replies = self._replies(among, wanted)
        query = f"SELECT position, body FROM samples WHERE position {among}"
        for position, body in self._db.execute(query, wanted).fetchall():
            answers = [r for r in replies.get(position, []) if r is not None and not r.error]
            if len(answers) == len(replies.get(position, [])):
                yield position, load_sample(body), answers

    def answered(self, task: str) -> Iterator[tuple[int, Sample, list[Response | None]]]:
        """A task's samples with their positions and their responses in the order of asking."""
        for page in self._pages(task):
            replies = self._replies("BETWEEN ? AND ?", (page[0][0], page[-1][0]))
            for position, body in page:
                yield position, load_sample(body), replies.get(position, [])

    def scored(
        self, task: str
    ) -> Iterator[tuple[Sample, list[Response | None], dict[str, tuple[tuple[float, ...], str]]]]:
        """A task's samples, their responses and, by metric, statistics or why there are none."""
        for page in self._pages(task):
            replies = self._replies("BETWEEN ? AND ?", (page[0][0], page[-1][0]))
            scores = self._scores_between(page[0][0], page[-1][0])
            for position, body in page:
                yield load_sample(body), replies.get(position, []), scores.get(position, {})

    def _pages(self, task: str) -> Iterator[list[tuple[int, str]]]:
        position = 0
        query = (
            # The plus keeps SQLite to the order of positions: by the task's index each page would
            # be found by sorting all of the task's samples.
            "SELECT position, body FROM samples WHERE +task = ? AND position > ?"
            " ORDER BY position LIMIT ?"
        )
        while page := self._db.execute(query, (task, position, PAGE)).fetchall():
            yield page
            position = page[-1][0]

    def _replies(
        self, among: str, positions: Sequence[int | str]
    ) -> dict[int, list[Response | None]]:
        query = (
            "SELECT sample, key, text, logprob, token_count, error, seconds FROM requests"
            " LEFT JOIN responses USING (question) LEFT JOIN questions ON ordinal = question"
            f" WHERE sample {among} ORDER BY sample, requests.position"
        )
        found: dict[int, list[Response | None]] = {}
        for sample, key, text, *rest in self._db.execute(query, positions):
            answer = Response(key, text, *rest) if text is not None else None
            found.setdefault(sample, []).append(answer)
        return found

    def replace_scores(
        self, scores: Iterable[tuple[int, Score]], metrics: Sequence[str] = ()
    ) -> None:
        """All scores, or those of the metrics that are named: the others' stay."""
        with self._transaction():
            self._db.execute("DELETE FROM published")
            for metric in metrics:
                self._db.execute("DELETE FROM scores WHERE metric = ?", (metric,))
            if not metrics:
                self._db.execute("DELETE FROM scores")
            self._db.executemany(
                "INSERT INTO scores (sample, metric, stats, unscored, failed, remark)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (
                        *(position, one.metric, json.dumps(one.values)),
                        *(storable(one.unscored), one.failed, storable(one.remark)),
                    )
                    for position, one in scores
                ),
            )

    def scores(self, task: str, metric: str) -> Iterator[Score]:
        query = (
            "SELECT id, language, grp, cluster, metric, unscored, failed, remark, stats FROM scores"
            " JOIN samples ON samples.position = scores.sample WHERE task = ? AND metric = ?"
            " ORDER BY scores.sample"
        )
        for name, language, group, cluster, _, why, failed, remark, stats in self._db.execute(
            query, (task, metric)
        ):
            values = self._statistics(stats)
            yield Score(name, language, group, cluster, metric, values, why, bool(failed), remark)

    def _scores_between(
        self, first: int, last: int
    ) -> dict[int, dict[str, tuple[tuple[float, ...], str]]]:
        query = "SELECT sample, metric, stats, unscored FROM scores WHERE sample BETWEEN ? AND ?"
        found: dict[int, dict[str, tuple[tuple[float, ...], str]]] = {}
        for sample, metric, stats, why in self._db.execute(query, (first, last)):
            found.setdefault(sample, {})[metric] = self._statistics(stats), why
        return found

    def _statistics(self, text: str) -> tuple[float, ...]:
        """Raises `StoreError` for what `replace_scores` has not written."""
        try:
            values = tuple(json.loads(text))
            if all(type(one) in (int, float) and isfinite(one) for one in values):
                return values
        except (ValueError, TypeError):
            pass
        raise StoreError(
            f"{self.folder}/run.sqlite: a score is {text!r:.60}, no list of numbers; towereval"
            " score writes it again"
        )

    def answer_texts(self, task: str) -> Iterator[tuple[str, str, str, float | None]]:
        """Language, sample, raw text and log-probability of every answer in the order of asking."""
        query = (
            "SELECT language, id, r.text, r.logprob FROM samples"
            " JOIN requests ON requests.sample = samples.position"
            " JOIN responses AS r USING (question)"
            " WHERE task = ? AND r.error = '' ORDER BY requests.position"
        )
        yield from self._db.execute(query, (task,))

    def lost_samples(self) -> list[tuple[str, int, int]]:
        """By task: how many samples there are, and how many have a request without an answer or a
        scoring that failed.
        """
        query = (
            "SELECT task, COUNT(*), SUM("
            f" EXISTS (SELECT 1 FROM requests WHERE sample = samples.position AND {_OPEN})"
            " OR EXISTS (SELECT 1 FROM scores WHERE sample = samples.position AND failed))"
            " FROM samples GROUP BY task ORDER BY MIN(position)"
        )
        return list(self._db.execute(query))

    def failures(self, limit: int = 20) -> list[tuple[str, int]]:
        """The commonest reasons of failed requests, of requests that were not asked yet, and of
        scorings by a judge or learned metric that failed, with their counts.
        """
        query = (
            "SELECT error, COUNT(*) AS n FROM responses WHERE error != ''"
            " AND question IN (SELECT question FROM requests) GROUP BY error"
            " UNION ALL SELECT 'not asked yet', COUNT(DISTINCT question) AS n FROM requests"
            " WHERE question NOT IN (SELECT question FROM responses) HAVING n > 0"
            " UNION ALL SELECT unscored, COUNT(DISTINCT sample) AS n FROM scores WHERE failed"
            f" AND NOT EXISTS (SELECT 1 FROM requests WHERE sample = scores.sample AND {_OPEN})"
            " GROUP BY unscored ORDER BY n DESC, 1 LIMIT ?"
        )
        return list(self._db.execute(query, (limit,)))

    # --- what is written from it ---

    def write_results(self, results: dict[str, Any]) -> None:
        self._write_json("results.json", {"schema": SCHEMA, **results})

    def drop_results(self) -> None:
        """With the report and the samples, which say the same."""
        for name in ("results.json", "report.html"):
            (self.folder / name).unlink(missing_ok=True)
        for file in (self.folder / "samples").glob("*.parquet"):
            file.unlink()

    def discard(self) -> None:
        """Remove a run of which there is nothing yet; a folder with other files stays."""
        self._db.close()
        made = ("manifest.json", "run.sqlite", "run.sqlite-wal", "run.sqlite-shm", ".lock")
        with suppress(OSError):
            for name in made:
                (self.folder / name).unlink(missing_ok=True)
            self.folder.rmdir()

    def note_published(self, stamp: str, files: str) -> None:
        """What the written results follow from and are, until samples, answers or scores change."""
        with self._transaction():
            self._db.execute("DELETE FROM published")
            self._db.execute("INSERT INTO published VALUES (?, ?)", (stamp, files))

    def published(self) -> tuple[str, str]:
        """As it was noted; empty where something has changed since."""
        row = self._db.execute("SELECT stamp, files FROM published").fetchone()
        return tuple(row) if row else ("", "")

    def count_unasked(self) -> int:
        query = "SELECT COUNT(DISTINCT question) FROM requests WHERE question NOT IN"
        return int(self._db.execute(f"{query} (SELECT question FROM responses)").fetchone()[0])

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
        try:
            write_atomically(self.folder / name, storable(text).encode() + b"\n")
        except OSError as error:
            raise StoreError(f"{self.folder / name}: cannot be written: {error}") from error

    def _transaction(self) -> Transaction:
        return Transaction(self._db, self.folder)


def storable(text: str) -> str:
    """Lone surrogates, which some detokenizers give, have no encoding in UTF-8 and become "?"."""
    return text if text.isascii() else text.encode("utf-8", errors="replace").decode()
