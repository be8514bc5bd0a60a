"""crowd.py: bench/crowd, many clients in one cheap process, driven by lines."""
import os
import subprocess
import sys

from world import DATABASE, PASSWORD


class Crowd:
    """`with Crowd(world, target, sql) as crowd:`. A client or a statement that fails ends the benchmark."""

    def __init__(self, world, target, sql):
        self.target = target
        self.process = subprocess.Popen([os.path.join(world.build, "bench", "crowd"), str(target.port), world.ca, DATABASE, PASSWORD, sql],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def _ask(self, line):
        self.process.stdin.write(line + "\n")
        answer = self.process.stdout.readline().split()
        if not answer:
            log = ""
            if self.target.log:
                with open(self.target.log, errors="replace") as f:
                    log = f.read()[-2000:]
            sys.exit("crowd through %s: %s\n%s" % (self.target.name, line, log))
        return answer[1:]

    def open(self, count, user, options=""):
        """How many there are."""
        return int(self._ask("open %d %s %s" % (count, user, options))[0])

    def _statements(self, line):
        cpu = self.target.cpu()
        count, seconds, p50, p99 = self._ask(line)
        cpu = self.target.cpu() - cpu
        return int(count) / float(seconds), int(p50) / 1000, int(p99) / 1000, cpu * 1e6 / int(count) if self.target.pid else None

    def run(self, seconds, at_once):
        """(statements a second, p50 ms, p99 ms, proxy CPU us a statement)"""
        return self._statements("run %d %d" % (seconds, at_once))

    def send(self, count, at_once):
        return self._statements("send %d %d" % (count, at_once))
