"""
measure.py: the measures of bench/run, one after another, each in turns over its targets. Called by bench/run.
"""
import argparse
import importlib
import os
import shutil
import signal
import sys

from table import processor, write_section
from world import HERE, World

# In the order in which they run; those before None are the default.
MEASURES = ["select", "stream", "churn", None, "masked", "tpcb", "cold", "audit", "subjects", "people", "idle"]
ALL = [name for name in MEASURES if name]
DEFAULT = MEASURES[:MEASURES.index(None)]


INTRO = """Each section below is a measure of `bench/run` (`--only NAME`) or of `bench/copy`, with its own run's machine and length. TLS on
every leg, the same P-256 certificate for all. "direct" is PostgreSQL itself, "pgbouncer" Debian's PgBouncer 1.18, "relay" the bare TLS
relay `bench/relay`, "vs" another build of pgvigil. Clients, PostgreSQL and proxy share the machine, so throughput tells of the sum;
"proxy CPU" is the proxy's own time, all threads, what logging in cost taken off. They take turns within a run: compare ratios, not
numbers of two runs. Instructions for a statement, which do not drift, are what `bench/callgrind` counts and `bench/ceilings` bounds."""


def numbers(text):
    return [int(word) for word in text.split(",")]


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("pg-bin", "socket", "work", "certs", "build", "results"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--pg-port", type=int, required=True)
    parser.add_argument("--only", default=None)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--vs")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--clients", type=numbers)
    parser.add_argument("--workers", type=int, default=0, help="0: one for each core")
    parser.add_argument("--modes", default="simple,extended,prepared")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else ALL if options.all else DEFAULT
    unknown = [name for name in options.only if name not in ALL]
    if unknown:
        parser.error("no measure %s; there are %s" % (", ".join(unknown), ", ".join(ALL)))
    options.modes = options.modes.split(",")
    options.clients = options.clients or ([1, 8, 32, 128] if options.all else [8, 32])
    options.rounds = options.rounds or (3 if options.all else 2)
    options.seconds = options.seconds or (5 if options.all else 3)
    return options


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    world = World(options)
    shutil.copytree(os.path.join(HERE, "policy"), os.path.join(options.work, "policy"))
    modules = [importlib.import_module("measures." + name) for name in options.only]
    for module in modules:
        getattr(module, "prepare", lambda world: None)(world)
    world.deploy()
    for name, module in zip(options.only, modules):
        print("\n%s: %s" % (name, module.HEADING), flush=True)
        own = argparse.Namespace(**vars(options))
        try:
            text = module.run(world, own)
        finally:
            world.stop_all()
        print("\n%s\n" % text, flush=True)
        if options.write:
            write_section(options.results, "What pgvigil costs", INTRO)
            write_section(options.results, module.HEADING, "Written by `bench/run --only %s --write`; medians of %d rounds of %d s; %s.\n%s"
                          % (name, options.rounds, options.seconds, processor(), text))
            print("written to %s" % options.results)


if __name__ == "__main__":
    main()
