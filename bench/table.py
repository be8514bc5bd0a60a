"""table.py: numbers as text, markdown tables, and the sections of bench/results.md."""
import os
import statistics


def number(value, digits):
    return "-" if value is None else "%.*f" % (digits, value)


def ratio(part, whole):
    return "-" if part is None or not whole else "%.2f" % (part / whole)


def medians(runs):
    """Column by column; None where nothing is measured."""
    return [None if None in column else statistics.median(column) for column in zip(*runs)]


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def processor():
    with open("/proc/cpuinfo") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return "%d × %s" % (os.cpu_count(), names[0] if names else "?")


def write_section(path, heading, text):
    """Puts the section `# heading` into the file: in its old place, or at the end. The rest stays."""
    sections = []
    if os.path.exists(path):
        with open(path) as f:
            for line in f:
                if line.startswith("# ") or not sections:
                    sections.append("")
                sections[-1] += line
    fresh = "# %s\n\n%s\n" % (heading, text.strip("\n"))
    found = [n for n, section in enumerate(sections) if section.startswith("# %s\n" % heading)]
    if found:
        sections[found[0]] = fresh
    else:
        sections.append(fresh)
    with open(path, "w") as f:
        f.write("\n".join(section.strip("\n") + "\n" for section in sections))
