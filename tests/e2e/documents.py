"""
Documents as a reader has them: a practice's configuration, the commands that write documents of it, their HTML printed to PDF by a headless
Chromium and its text taken out again.
"""
import html.parser
import os
import pathlib
import re
import shutil
import subprocess

import harness

CHROMIUM = next((path for path in ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium") if os.access(path, os.X_OK)), None)

ORGANISATION = """organisation = {
  name = "Maison de santé des Tilleuls"; kind = "maison de santé pluriprofessionnelle"; address = "12 rue des Tilleuls, 44000 Nantes";
  siret = "73282932000074"; finess = "440000123"; phone = "02 40 00 00 00"; email = "contact@tilleuls.example.fr";
  controller = { name = "Dr Anne Le Goff"; role = "gérante"; email = "direction@tilleuls.example.fr"; };
  dpo = { name = "Paul Martin"; email = "dpo@martin.example.fr"; phone = "02 40 11 11 11"; external = true; organisation = "Cabinet Martin"; };
  hosting = { host = "Hébergeur Exemple SAS"; hds_certificate = "HDS-2024-0001"; hds_scope = [ "1", "2", "5" ]; hds_expires = "2027-06-30";
              country = "FR"; processor_contract = "contrat du 1er mars 2025"; staff = [ "admin1" ]; };
};
"""


class Practice:
    """A folder with a configuration, a copy of the clinic's policy, and room for documents."""

    def __init__(self, folder, organisation=ORGANISATION, audit="retention = { technical_days = 365; };", name="pgvigil.cfg"):
        self.folder = pathlib.Path(folder)
        self.policy = self.folder / "policy"
        if not self.policy.exists():
            shutil.copytree(harness.CLINIC / "policy", self.policy)
            harness.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.folder / "audit.pem"])
            (self.folder / "audit.pem").chmod(0o600)
        self.trail = self.folder / "audit"
        self.config = self.folder / name
        self.config.write_text("""listen = { plaintext = true; };
databases = ( { name = "records"; owner = "o"; conninfo = "host=127.0.0.1 dbname=records user=u sslmode=verify-full"; } );
policy = "policy";
audit = { directory = "audit"; key = "audit.pem"; %s };
%s""" % (audit, organisation), encoding="utf-8")

    def edit(self, old, new, count=1):
        """Changes a text of the policy, which must be there so many times."""
        files = [path for path in sorted(self.policy.glob("*.cfg")) if old in path.read_text(encoding="utf-8")]
        assert sum(path.read_text(encoding="utf-8").count(old) for path in files) == count, old
        for path in files:
            path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    def run(self, *args, env=None):
        done = subprocess.run([harness.binary(), args[0], "-c", str(self.config)] + [str(a) for a in args[1:]], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, cwd="/", env=dict(os.environ, **(env or {})))
        return done.returncode, done.stdout.decode(), done.stderr.decode()


class Reader(html.parser.HTMLParser):
    """What a page shows, in lines: a block is one; and what a careful reader looks for in its markup."""

    BLOCKS = {"p", "h1", "h2", "h3", "li", "tr", "div", "header", "footer", "section", "dt", "dd", "caption"}

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.lines, self.hidden = [], [], [""], 0
        self.feed(text)
        self.lines = [line for line in (re.sub(r"[\s]+", " ", line).strip() for line in self.lines) if line]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]
        self.hidden += tag in ("style", "title")
        if tag in self.BLOCKS:
            self.lines.append("")
        if tag in ("td", "th"):
            self.lines[-1] += " | "

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "title")
        if tag in self.BLOCKS:
            self.lines.append("")

    def handle_data(self, data):
        if not self.hidden:
            self.lines[-1] += data


def print_pdf(page, folder):
    """The page as Chromium prints it: (pages, width and height in points, text)."""
    source, target = folder / "page.html", folder / "page.pdf"
    source.write_text(page, encoding="utf-8")
    profile = folder / "profile"
    command = [CHROMIUM, "--headless", "--disable-gpu", "--no-pdf-header-footer", "--user-data-dir=%s" % profile, "--print-to-pdf=%s" % target]
    if os.geteuid() == 0:
        command.append("--no-sandbox")
    harness.run(command + [source.as_uri()], timeout=120)
    about = harness.run(["pdfinfo", target])
    pages = int(re.search(r"Pages:\s+(\d+)", about).group(1))
    width, height = map(float, re.search(r"Page size:\s+([\d.]+) x ([\d.]+)", about).groups())
    return pages, width, height, harness.run(["pdftotext", "-enc", "UTF-8", target, "-"])
