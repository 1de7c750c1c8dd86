"""Writes random revision directories and prints what the real Alembic says about each.

usage: alembic_oracle.py DIR SEED COUNT

For each graph, below DIR/N/versions:
    graph N exact|loose
    rev ID | DOWN… | DEPENDS… | FLAGS… | LABELS…   in the order of `alembic history`
    heads ID…                                 as `alembic heads`, sorted
  and then, for some states of the version table:
    rows ID…                                  a state Alembic could have left
    current ID…                               as `alembic current`, sorted
    pending ID…                               in the order `alembic upgrade heads` would run them
    refused ID                                a row that makes it refuse: another includes it

loose: some revision depends on several, whose order Alembic leaves to Python's hashing of strings;
the order is then only known to be a valid one.
"""
import os
import random
import sys

from alembic.script import ScriptDirectory
from alembic.util import CommandError


def write(path, rev, down, depends, labels, rng):
    def spell(ids):
        quoted = [rng.choice(['"%s"', "'%s'", "u'%s'", "'''%s'''"]) % i for i in ids]
        if not quoted:
            return "None"
        if len(quoted) == 1 and rng.random() < 0.5:
            return rng.choice(["%s", "(%s)", "str(%s)"]) % quoted[0]
        shape = rng.choice(["(%s,)", "[%s]", "[%s,\n]", "(\n  %s, # all\n)"])
        return shape % ", ".join(quoted)

    with open(path, "w") as out:
        out.write('"""revision %s\n\nCreate Date: 2025-01-27\n"""\n' % rev)
        out.write(rng.choice(["revision = '%s'\n", "revision: str = '%s'\n", "revision = x = ('%s')\n"]) % rev)
        out.write("down_revision = %s\ndepends_on = %s\n" % (spell(down), spell(depends)))
        if labels:
            out.write("branch_labels = %s\n" % spell(labels))
        out.write("def upgrade(): pass\ndef downgrade(): pass\n")


def generate(directory, rng):
    """Returns whether no revision depends on several."""
    n = rng.choice([1, 2, 5, 10, 15, 25, 40])
    shape = rng.choice(["linear", "branches", "branches", "merges", "roots", "tangle"])
    p_base, p_merge, p_old, p_depends = {
        "linear": (0.0, 0.0, 0.0, 0.0),
        "branches": (0.05, 0.1, 0.2, 0.1),
        "merges": (0.05, 0.5, 0.4, 0.05),
        "roots": (0.3, 0.1, 0.1, 0.3),
        "tangle": (0.1, 0.3, 0.3, 0.5),
    }[shape]
    several = rng.random() < 0.3
    ids, tips, labels, exact = [], [], [], True
    os.makedirs(os.path.join(directory, "versions"))
    for i in range(n):
        rev = "%06x" % rng.randrange(1 << 24)
        if rev in ids:
            continue
        kind, own, depends = rng.random(), [], []
        if not ids or kind < p_base:
            down = []
            if rng.random() < 0.3:
                own = ["label%d" % i]
        elif kind < p_base + p_merge and len(tips) > 1:
            down = rng.sample(tips, rng.randint(2, min(3, len(tips))))
        elif rng.random() < p_old:
            down = [rng.choice(ids)]
        else:
            down = [rng.choice(tips)]
        if ids and rng.random() < p_depends:
            wanted = rng.sample(ids, min(len(ids), rng.choice([1, 1, 2, 3]) if several else 1))
            depends = [d for d in wanted if d not in down]
            exact = exact and len(depends) < 2
            if labels and len(depends) == 1 and rng.random() < 0.3:
                depends = [rng.choice(labels)]
        tips = [t for t in tips if t not in down] + [rev]
        ids.append(rev)
        labels += own
        name = rng.choice(["%s.py", "%s_a_message.py", "2024_01_%s.py"]) % rev
        write(os.path.join(directory, "versions", name), rev, down, depends, own, rng)
    return exact


def flags(rev):
    return [name for name, has in (
        ("head", rev.is_head), ("real-head", rev._is_real_head), ("base", rev.is_base),
        ("branchpoint", rev.is_branch_point), ("merge", rev.is_merge_point)) if has]


def tuple_of(value):
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def version_rows(script, everything, rng):
    """What Alembic could have left in the table: some revisions, none of which includes another."""
    revision_map = script.revision_map
    chosen = rng.sample(everything, min(len(everything), rng.choice([0, 1, 1, 2, 2, 3, 4, 6])))
    rows = []
    for rev in chosen:
        others = [c for c in chosen if c is not rev]
        included = set(revision_map._get_ancestor_nodes(others)) if others else set()
        if rev not in included:
            rows.append(rev.revision)
    return tuple(rows)


def overlapping_rows(script, everything, rng):
    """A revision and one it comes from, side by side; None where there is no such pair."""
    rev = rng.choice(everything)
    below = [r.revision for r in script.revision_map._get_ancestor_nodes([rev]) if r is not rev]
    return (rev.revision, rng.choice(sorted(below))) if below else None


def main():
    root, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    for number in range(count):
        directory = os.path.join(root, str(number))
        exact = generate(directory, rng)
        script = ScriptDirectory(directory)
        everything = list(script.walk_revisions())
        print("graph", number, "exact" if exact else "loose")
        for rev in everything:
            print("rev", rev.revision, "|", *tuple_of(rev.down_revision), "|",
                  *tuple_of(rev.dependencies), "|", *flags(rev), "|",
                  *sorted(rev.branch_labels))
        print("heads", *sorted(script.get_heads()))
        for _ in range(4):
            rows = version_rows(script, everything, rng)
            print("rows", *rows)
            print("current", *sorted(r.revision for r in script.get_all_current(rows)))
            print("pending", *(s.revision.revision for s in script._upgrade_revs("heads", rows)))
        rows = overlapping_rows(script, everything, rng)
        if rows:
            print("rows", *rows)
            try:
                script._upgrade_revs("heads", rows)
                print("accepted", *rows)
            except CommandError:
                print("refused", rows[1])


main()
