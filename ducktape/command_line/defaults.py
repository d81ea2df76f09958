# SPDX-License-Identifier: Apache-2.0
"""Constants that hold when neither a file nor the command line says otherwise."""

from __future__ import annotations

import os
import re

# Date and number of a session, which are also the name of its directory
SESSION_ID = re.compile(r"(\d{4}-\d{2}-\d{2})--(\d{3,})")


class ConsoleDefaults:
    """Names, places and formats of the command line, read at the time of use so that they can be replaced."""

    # Directories and files that belong to the folder in which the program is started
    DUCKTAPE_DIR = ".ducktape"
    METADATA_DIR = os.path.join(DUCKTAPE_DIR, "metadata")

    # Options
    PROJECT_CONFIG_FILE = os.path.join(DUCKTAPE_DIR, "config")
    USER_CONFIG_FILE = os.path.join("~", DUCKTAPE_DIR, "config")

    # Clusters
    CLUSTER_TYPE = "ducktape.cluster.vagrant.VagrantCluster"
    CLUSTER_FILE = os.path.join(DUCKTAPE_DIR, "cluster.json")

    # Sessions and their results
    SESSION_ID_FILE = os.path.join(METADATA_DIR, "session_id")
    RESULTS_ROOT_DIRECTORY = "./results"
    MAX_DATA_BYTES = 10 * 1024 * 1024
    KEEP_FOR_SEC = 7200.0
    LONGEST_KEEP_SEC = 365 * 86400.0

    # Log lines
    SESSION_LOG_FORMATTER = "[%(levelname)s:%(asctime)s]: %(message)s"
    TEST_LOG_FORMATTER = "[%(levelname)-5s - %(asctime)s - %(module)s - %(funcName)s - lineno:%(lineno)s]: %(message)s"
    BAD_TEST_MESSAGE = "BAD_TEST"

    # Unused since the driver and its children talk through pipes; kept because they were public
    TEST_DRIVER_MIN_PORT = 5556
    TEST_DRIVER_MAX_PORT = 5656
