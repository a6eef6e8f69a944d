#!/usr/bin/env python3
import os
import pathlib
import sys

from django.core.management import execute_from_command_line

# The app `rs` lies beside this project; your own project has a copy of it inside.
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
