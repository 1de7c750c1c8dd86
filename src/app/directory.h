/*
 * The revision files of a directory on this machine.
 */
#ifndef PGONCALL_APP_DIRECTORY_H
#define PGONCALL_APP_DIRECTORY_H

#include <pgoncall/base/err.h>
#include <pgoncall/migrations/graph.h>

/*
 * dir: the folder of the files; or a project, whose alembic.ini or pyproject.toml says where they are
 * (version_locations, recursive_version_locations); or Alembic's script folder, with env.py and
 * versions. The files are taken in the order the directory lists them, as Alembic up to 1.18 does. A
 * file that cannot be read is a problem of the graph. The caller frees the graph.
 */
int directory_read(const char *dir, struct migration_graph **graph, struct err *err);

#endif
