"""Ports: kept while they are free, given up when they are not."""

import socket
from pathlib import Path

import pytest

from wisqu_pipelines.devstack.ports import Ports, is_free
from wisqu_pipelines.errors import StackFailed

NAMES = ("a", "b", "c")


def chosen(file: Path, *, base: int | None = None, preferred: dict[str, int] | None = None) -> dict[str, int]:
    ports = Ports(file)
    ports.choose(NAMES, base=base, preferred=preferred or {})
    return {name: ports[name] for name in NAMES}


def test_free_ports_are_kept_across_restarts(tmp_path: Path) -> None:
    first = chosen(tmp_path / "ports.json")
    assert len(set(first.values())) == len(NAMES)
    assert chosen(tmp_path / "ports.json") == first


def test_a_port_that_somebody_took_meanwhile_is_replaced(tmp_path: Path) -> None:
    first = chosen(tmp_path / "ports.json")
    with socket.create_server(("127.0.0.1", first["b"])):
        assert not is_free(first["b"])
        second = chosen(tmp_path / "ports.json")
    assert second["b"] not in first.values()
    assert (second["a"], second["c"]) == (first["a"], first["c"])


def test_an_unreadable_memory_only_costs_the_old_ports(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    assert len(chosen(tmp_path / "ports.json")) == len(NAMES)


def test_a_preferred_port_is_taken_if_it_is_free(tmp_path: Path) -> None:
    wished = chosen(tmp_path / "other.json")["a"]
    assert chosen(tmp_path / "ports.json", preferred={"b": wished})["b"] == wished


@pytest.mark.parametrize("base", [0, -5, 65_534])
def test_a_range_that_does_not_fit_is_refused(tmp_path: Path, base: int) -> None:
    with pytest.raises(StackFailed, match="do not fit in"):
        chosen(tmp_path / "ports.json", base=base)
