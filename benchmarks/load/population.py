"""Who is in which room: names for clients, and whom a scenario lets join or leave next."""

from collections.abc import Iterable
from random import Random

from benchmarks.load.model import ClientSpec, LoadPlan


class Population:
    """The clients of a run that have been let in, room by room."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._random = Random(plan.seed)
        self._numbers = 0
        self.present: dict[str, ClientSpec] = {}
        single = plan.rooms == 1
        self.rooms = [plan.room if single else f"{plan.room}-{n}" for n in range(plan.rooms)]

    def _add(
        self, room: str, letter: str, *, publishes: bool, subscribes: bool, apart: bool = False
    ) -> ClientSpec:
        plan = self._plan
        streams = plan.publishers
        if plan.scenario == "ramp" and plan.ramp_by == "members":
            streams = int(plan.ramp_to) or max(streams, DEFAULT_RAMP_MEMBERS)
        spec = ClientSpec(
            name=f"{room}-{letter}{self._numbers}",
            room=room,
            publishes=publishes,
            subscribes=subscribes,
            streams=max(1, streams - (publishes and subscribes)),
            apart=apart,
        )
        self._numbers += 1
        self.present[spec.name] = spec
        return spec

    def publishers(self, count: int) -> list[ClientSpec]:
        """New ones: `count` for each room."""
        return [
            self._add(room, "p", publishes=True, subscribes=False)
            for room in self.rooms
            for _ in range(count)
        ]

    def subscribers(self, count: int) -> list[ClientSpec]:
        """New ones: `count` for each room, a room at a time."""
        return [
            self._add(room, "s", publishes=False, subscribes=True)
            for room in self.rooms
            for _ in range(count)
        ]

    def members(self, count: int) -> list[ClientSpec]:
        """New ones that both send and receive: `count` for each room."""
        return [
            self._add(room, "m", publishes=True, subscribes=True)
            for room in self.rooms
            for _ in range(count)
        ]

    def burst(self, count: int) -> list[ClientSpec]:
        """`count` new subscribers altogether, spread over the rooms."""
        rooms = self.rooms
        return [
            self._add(rooms[n % len(rooms)], "b", publishes=False, subscribes=True, apart=True)
            for n in range(count)
        ]

    def replace_one(self) -> tuple[ClientSpec, ClientSpec]:
        """Someone by chance who leaves, a subscriber where there is one, and who comes instead."""
        specs = list(self.present.values())
        leaver = self._random.choice([s for s in specs if s.subscribes] or specs)
        del self.present[leaver.name]
        letter = "m" if leaver.publishes else "s"
        comer = self._add(
            leaver.room, letter, publishes=leaver.publishes, subscribes=leaver.subscribes
        )
        return leaver, comer

    def forget(self, names: Iterable[str]) -> None:
        """These have failed, and are not there any more."""
        for name in names:
            self.present.pop(name, None)

    def resize(self, count: int, *, publishes: bool) -> tuple[list[ClientSpec], list[ClientSpec]]:
        """Who comes and who goes, the newest first, for `count` in each room of those who publish.

        Or, where `publishes` is false, of those who only watch.
        """
        coming, going = [], []
        for room in self.rooms:
            there = [
                spec
                for spec in self.present.values()
                if spec.room == room and spec.publishes == publishes
            ]
            for _ in range(count - len(there)):
                letter = "p" if publishes else "s"
                coming.append(
                    self._add(room, letter, publishes=publishes, subscribes=not publishes)
                )
            going += there[count:][::-1]
        self.forget(spec.name for spec in going)
        return coming, going


DEFAULT_RAMP_MEMBERS = 100  # publishers for whom subscribers of such a ramp are prepared
