"""Writes random revision directories and prints what the real Alembic says about each.

usage: alembic_oracle.py DIR SEED COUNT

For each graph, below DIR/N/versions:
    graph N linear|general
    rev ID | DOWN… | DEPENDS… | FLAGS…        in the order of `alembic history`
    heads ID…                                 as `alembic heads`, sorted
    rows ID…                                  a random state of the version table
    current ID…                               as `alembic current`, sorted
    pending ID…                               in the order `alembic upgrade heads` would run them
"""
import os
import random
import sys

from alembic.script import ScriptDirectory


def write(path, rev, down, depends, rng):
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
        out.write("def upgrade(): pass\ndef downgrade(): pass\n")


def generate(directory, rng):
    n = rng.randint(1, 25)
    linear = rng.random() < 0.2
    ids, tips = [], []
    os.makedirs(os.path.join(directory, "versions"))
    for i in range(n):
        rev = "%06x" % rng.randrange(1 << 24)
        if rev in ids:
            continue
        depends = []
        if linear:
            down = ids[-1:]
        else:
            kind = rng.random()
            if not ids or kind < 0.1:
                down = []
            elif kind < 0.3 and len(tips) > 1:
                down = rng.sample(tips, rng.randint(2, min(3, len(tips))))
            elif kind < 0.8:
                down = [rng.choice(tips)]
            else:
                down = [rng.choice(ids)]
            if ids and rng.random() < 0.15:
                depends = [d for d in [rng.choice(ids)] if d not in down]
        tips = [t for t in tips if t not in down] + [rev]
        ids.append(rev)
        write(os.path.join(directory, "versions", rev + ".py"), rev, down, depends, rng)
    return linear


def flags(rev):
    return [name for name, has in (
        ("head", rev.is_head), ("real-head", rev._is_real_head), ("base", rev.is_base),
        ("branchpoint", rev.is_branch_point), ("merge", rev.is_merge_point)) if has]


def tuple_of(value):
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def version_rows(script, rng):
    """What Alembic could have left in the table: some revisions, none of which includes another."""
    revision_map = script.revision_map
    everything = list(script.walk_revisions())
    chosen = rng.sample(everything, min(len(everything), rng.randint(0, 3)))
    rows = []
    for rev in chosen:
        others = [c for c in chosen if c is not rev]
        included = set(revision_map._get_ancestor_nodes(others)) if others else set()
        if rev not in included:
            rows.append(rev.revision)
    return tuple(rows)


def main():
    root, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    for number in range(count):
        directory = os.path.join(root, str(number))
        linear = generate(directory, rng)
        script = ScriptDirectory(directory)
        print("graph", number, "linear" if linear else "general")
        for rev in script.walk_revisions():
            print("rev", rev.revision, "|", *tuple_of(rev.down_revision), "|",
                  *tuple_of(rev.dependencies), "|", *flags(rev))
        print("heads", *sorted(script.get_heads()))
        rows = version_rows(script, rng)
        print("rows", *rows)
        print("current", *sorted(r.revision for r in script.get_all_current(rows)))
        print("pending", *(step.revision.revision for step in script._upgrade_revs("heads", rows)))


main()
