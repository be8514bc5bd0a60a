"""
figures.py: the admin port read as Prometheus reads it, for tests.

parse() takes the text format apart by its own grammar and refuses what is none: a sample without TYPE, a name twice, a label that
is not quoted, a histogram that does not add up.
"""
import http.client
import re

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')


def get(port, path="/metrics", method="GET", host="127.0.0.1", body=None, headers=None):
    """(status, headers, text)"""
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def labels_of(text):
    found, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, "not labels: %r" % text
        assert match.group(1) not in found, text
        found[match.group(1)] = match.group(2).replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
        at = match.end()
    return found


def parse(text):
    """{name: [(labels, value)]}, whose format was right."""
    assert text.endswith("\n")
    types, samples, seen = {}, {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
            continue
        if line.startswith("# HELP "):
            assert line.split(" ", 3)[3], line
            continue
        match = SAMPLE.fullmatch(line)
        assert match, "not a sample: %r" % line
        name, labels, value = match.group(1), labels_of(match.group(2) or ""), float(match.group(3))
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        kind = types.get(name) or types.get(family)
        assert kind, "no TYPE for %s" % name
        assert kind != "counter" or name.endswith("_total"), name
        key = (name, tuple(sorted(labels.items())))
        assert key not in seen, key
        seen.add(key)
        samples.setdefault(name, []).append((labels, value))
    for name, kind in types.items():
        if kind == "histogram":
            check_histogram(samples, name)
        else:
            assert name in samples, name
    return samples


def check_histogram(samples, name):
    series = {}
    for labels, value in samples[name + "_bucket"]:
        rest = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        series.setdefault(rest, []).append((float(labels["le"]), value))
    counts = {tuple(sorted(labels.items())): value for labels, value in samples[name + "_count"]}
    assert set(series) == set(counts) == {tuple(sorted(labels.items())) for labels, _ in samples[name + "_sum"]}
    for rest, buckets in series.items():
        assert buckets == sorted(buckets) and [v for _, v in buckets] == sorted(v for _, v in buckets), rest
        assert buckets[-1] == (float("inf"), counts[rest])


class Figures:
    """What the port says at one moment."""

    def __init__(self, port):
        status, headers, text = get(port)
        assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.text = text
        self.samples = parse(text)

    def sum(self, name, **labels):
        """Over all workers, of those with these labels."""
        return sum(value for found, value in self.samples[name] if labels.items() <= found.items())
