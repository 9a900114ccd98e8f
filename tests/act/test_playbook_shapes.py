"""Drawings made at random, accepted by the check, walked by the engine and by a plain token game written for this test: both have the same tasks open at every step."""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from zhongshu.act.playbook import begin, check, done, finished, read, tasks
from zhongshu.kernel.problem import Problem

MODEL = 'xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zs="urn:zhongshu:bpmn"'
ELEMENT = {"xor": "exclusiveGateway", "and": "parallelGateway", "or": "inclusiveGateway"}


@dataclass
class Shape:
    """A drawing: what each node is, and its lines in order; the first line out of a choosing gateway is its default, line n else depends on the name c<n>."""

    chance: random.Random
    nodes: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)

    def new(self, kind: str) -> str:
        name = f"n{len(self.nodes) + 1}"
        self.nodes[name] = kind
        return name

    def block(self, depth: int) -> tuple[str, str]:
        dice = self.chance.random()
        if depth == 0 or dice < 0.3:
            task = self.new("task")
            return task, task
        if dice < 0.5:
            (a, b), (c, d) = self.block(depth - 1), self.block(depth - 1)
            self.lines.append((b, c))
            return a, d
        if dice < 0.9:
            parting = self.new(self.chance.choice(list(ELEMENT)))
            meeting = self.new(self.nodes[parting] if self.chance.random() < 0.75 else self.chance.choice(list(ELEMENT)))
            for _ in range(self.chance.randint(2, 3)):
                a, b = self.block(depth - 1)
                self.lines += [(parting, a), (b, meeting)]
            return parting, meeting
        merge, ask = self.new("xor"), self.new("xor")
        a, b = self.block(depth - 1)
        self.lines += [(merge, a), (b, ask), (ask, merge)]
        return merge, ask

    def chosen(self, n: int) -> bool:
        """Say whether a line depends on a name."""
        source = self.lines[n][0]
        out = [k for k, line in enumerate(self.lines) if line[0] == source]
        return self.nodes.get(source) in {"xor", "or"} and len(out) > 1 and out[0] != n

    def bpmn(self) -> bytes:
        body = '<startEvent id="s"/><endEvent id="e"/>'
        for name, kind in self.nodes.items():
            if kind == "task":
                body += f'<userTask id="{name}" name="任务" zs:en="Task" zs:party="dept-road"/>'
                continue
            out = [n for n, line in enumerate(self.lines) if line[0] == name]
            body += f'<{ELEMENT[kind]} id="{name}"{f" default={chr(34)}F{out[0]}{chr(34)}" if kind != "and" and len(out) > 1 else ""}/>'
        for n, (source, target) in enumerate(self.lines):
            condition = f"<conditionExpression>c{n} == 1</conditionExpression>" if self.chosen(n) else ""
            body += f'<sequenceFlow id="F{n}" sourceRef="{source}" targetRef="{target}">{condition}</sequenceFlow>'
        names = " ".join(f"c{n}" for n in range(len(self.lines)) if self.chosen(n))
        return f'<definitions {MODEL}><process id="p" isExecutable="true" name="试" zs:en="Try" zs:data="{names}">{body}</process></definitions>'.encode()


def made(seed: int) -> Shape:
    shape = Shape(random.Random(seed))
    first, last = shape.block(3)
    shape.lines += [("s", first), (last, "e")]
    if shape.chance.random() < 0.4:
        n = shape.chance.randrange(len(shape.lines))
        shape.lines[n] = (shape.lines[n][0], shape.chance.choice(sorted(shape.nodes)))
    return shape


@dataclass
class Game:
    """Tokens on lines and tasks that are open, moved by the standard's rules."""

    shape: Shape
    data: dict[str, int]
    on: Counter[int] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)

    def out(self, name: str) -> list[int]:
        return [n for n, line in enumerate(self.shape.lines) if line[0] == name]

    def into(self, name: str) -> list[int]:
        return [n for n, line in enumerate(self.shape.lines) if line[1] == name]

    def give(self, name: str) -> None:
        out, kind = self.out(name), self.shape.nodes.get(name)
        if kind in {"xor", "or"} and len(out) > 1:
            true = [n for n in out[1:] if self.data[f"c{n}"] == 1] or out[:1]
            out = true[:1] if kind == "xor" else true
        self.on.update(out)

    def settle(self) -> None:
        while True:
            moved = False
            for n in list(self.on.elements()):
                target = self.shape.lines[n][1]
                kind = self.shape.nodes.get(target, "end")
                if kind in {"task", "xor", "end"}:
                    self.on[n] -= 1
                    moved = True
                    if kind == "task":
                        self.open[target] += 1
                    elif kind == "xor":
                        self.give(target)
                    break
            moved = moved or self.join()
            self.on, self.open = +self.on, +self.open
            if not moved:
                return

    def join(self) -> bool:
        for target in {self.shape.lines[n][1] for n in +self.on}:
            held = [n for n in self.into(target) if self.on[n]]
            if (self.shape.nodes[target] == "and" and len(held) == len(self.into(target))) or (self.shape.nodes[target] == "or" and not self.coming(target)):
                self.on.subtract(held)
                self.give(target)
                return True
        return False

    def coming(self, join: str) -> bool:
        ahead = [*self.open, *(self.shape.lines[n][1] for n in +self.on if self.shape.lines[n][1] != join)]
        seen = set(ahead)
        while ahead:
            for n in self.out(ahead.pop()):
                target = self.shape.lines[n][1]
                if target == join and not self.on[n]:
                    return True
                if target != join and target not in seen:
                    seen.add(target)
                    ahead.append(target)
        return False


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_the_engine_and_the_token_game_have_the_same_tasks_open(start: int) -> None:
    ended = 0
    for seed in range(start, start + 50):
        shape = made(seed)
        raw = shape.bpmn()
        if check(raw):
            continue
        playbook = read(raw)
        data = {f"c{n}": shape.chance.randint(0, 1) for n in range(len(shape.lines))}
        game, state = Game(shape, data), begin(playbook, data, now=0)
        game.give("s")
        for _ in range(25):
            game.settle()
            here = tasks(playbook, state)
            assert Counter(task.key for task in here) == game.open, f"seed {seed}"
            assert finished(state) == (not game.open)
            if not here:
                ended += 1
                break
            task = shape.chance.choice(sorted(here, key=lambda each: each.key))
            game.open[task.key] -= 1
            game.give(task.key)
            state = done(playbook, state, task.id, {}, now=0)
    assert ended > 10, "too few of them were walked to their end"


def test_what_the_check_refuses_does_go_wrong() -> None:
    """Among what is refused as a deadlock, the token game finds ways that stop; the check does not refuse for nothing."""
    stopped = refused = 0
    for seed in range(400):
        shape = made(seed)
        if {each.code for each in check(shape.bpmn())} != {"deadlock"}:
            continue
        refused += 1
        for turn in range(40):
            chance = random.Random(turn)
            game = Game(shape, {f"c{n}": chance.randint(0, 1) for n in range(len(shape.lines))})
            game.give("s")
            for _ in range(40):
                game.settle()
                if not game.open:
                    break
                task = chance.choice(sorted(game.open))
                game.open[task] -= 1
                game.give(task)
            if not game.open and +game.on:
                stopped += 1
                break
    assert refused > 3
    assert stopped == refused


def test_a_problem_is_the_only_way_out() -> None:
    """Every drawing made here, refused or not, ends in a playbook or in the one problem."""
    for seed in range(400, 450):
        try:
            read(made(seed).bpmn())
        except Problem as problem:
            assert problem.kind.code == "playbook.refused"
