#!/bin/bash
# Starts a staff member's server in the course folder, which the first one makes.
set -euo pipefail
cd "$COURSE_DIR"
umask 077
if [ ! -e nbgrader_config.py ]; then
    python - <<'PYTHON'
from autograder.config import course_dir
from autograder.course import open_course

course = open_course(course_dir())
with course.config_file.open("a", encoding="utf-8") as file:
    file.write("import os\n\n")
    file.write("c.Exchange.root = '/srv/sft2rl/exchange'\n")
    file.write("c.CourseDirectory.db_url = os.environ['GRADEBOOK_URL']\n")
PYTHON
fi
exec jupyterhub-singleuser --ServerApp.root_dir="$COURSE_DIR" "$@"
