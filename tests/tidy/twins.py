#!/usr/bin/env python3
"""twins.py: a checker is itself tested. For each check of tidy.py, small trees that it must refuse, and
the nearest ones that it must take. Prints TAP lines."""
import os
import sys
import tempfile

import tidy

# (check, what, path, content, refused)
TWINS = [
    ("arrows", "core/base including core/policy", "core/base/a.c", '#include "core/policy/p.h"\n', True),
    ("arrows", "core/policy including core/base", "core/policy/a.c", '#include "core/base/b.h"\n', False),
    ("arrows", "a .def pulled up", "core/base/a.c", '#  include "core/codec/undecodable.def"\n', True),
    ("arrows", "core/codec including core/ledger", "core/codec/a.h", '#include "core/ledger/l.h"\n', True),
    ("arrows", "core/ledger including core/codec", "core/ledger/a.h", '#include "core/codec/c.h"\n', False),
    ("arrows", "producer including consumer", "producer/a.c", '#include "consumer/c.h"\n', True),
    ("arrows", "consumer including producer", "consumer/a.c", '#include "producer/p.h"\n', False),
    ("arrows", "core including tests", "core/worker/a.c", '#include "tests/sim/sim.h"\n', True),
    ("arrows", "an include beside the file", "core/base/a.c", '#include "b.h"\n', True),
    ("arrows", "records from anywhere", "core/base/a.c", '#include "schemas/records.h"\n', False),
    ("doors", "SQLite in the worker", "core/worker/a.c", "#include <sqlite3.h>\n", True),
    ("doors", "SQLite in the mirror's store", "core/ledger/store.c", "#include <sqlite3.h>\n", False),
    ("doors", "Kafka in core", "core/worker/a.h", "#include <librdkafka/rdkafka.h>\n", True),
    ("doors", "Kafka in cli", "cli/a.c", "#include <librdkafka/rdkafka.h>\n", True),
    ("doors", "Kafka in the producer", "producer/a.c", "#include <librdkafka/rdkafka.h>\n", False),
    ("doors", "libsodium in the policy", "core/policy/a.c", "#include <sodium.h>\n", True),
    ("doors", "libcrypto in crypto", "core/crypto/a.c", "#include <openssl/evp.h>\n", False),
    ("doors", "avro-c in the codec", "core/codec/a.c", "#include <avro.h>\n", True),
    ("doors", "avro-c as an oracle", "tests/unit/a.c", "#include <avro.h>\n", False),
    ("doors", "libmicrohttpd in health", "consumer/health.c", "#include <microhttpd.h>\n", True),
    ("doors", "libcurl in health", "consumer/health.c", "#include <curl/curl.h>\n", True),
    ("doors", "libcurl in web", "consumer/web.c", "#include <curl/curl.h>\n", False),
    ("banned", "strcpy", "cli/a.c", "void f(char *a) { strcpy (a, b); }\n", True),
    ("banned", "strcpy in a comment and a string", "cli/a.c", '/* strcpy(a) */ char *s = "strcpy(a)";\n',
     False),
    ("banned", "a call that ends like one", "cli/a.c", "void f(void) { lex_rand(1); x->system(2); }\n",
     False),
    ("banned", "sprintf in a test", "tests/unit/a.c", "void f(void) { sprintf(x, y); }\n", True),
    ("banned", "system outside of tests", "consumer/a.c", "void f(void) { system(x); }\n", True),
    ("banned", "system in a test", "tests/unit/a.c", "void f(void) { system(x); }\n", False),
    ("banned", "atoi outside of tests", "core/base/a.c", "int f(void) { return atoi(x); }\n", True),
    ("banned", "atoi in a test", "tests/unit/a.c", "int f(void) { return atoi(x); }\n", False),
    ("links", "a link to nothing", "docs/a.md", "see [b](b.md)\n", True),
    ("links", "a link to a file", "docs/a.md", "see [a](../docs/a.md)\n", False),
    ("links", "an anchor that is not there", "docs/a.md", "# One\n[x](#two)\n", True),
    ("links", "an anchor that is there", "docs/a.md", "# One `two`, three\n[x](a.md#one-two-three)\n",
     False),
    ("links", "a link inside of code", "docs/a.md", "```\n[x](nothing.md)\n```\n", False),
    ("paths", "a home directory", "docs/a.md", "cd /ho" + "me/ann/lexecon\n", True),
    ("paths", "a path of the container", "docs/a.md", "cd /data/.lexecon\n", False),
    ("paths", "a folder that is called work", "docs/a.md", "see docs/wo" + "rk/a and $HOME/wo" + "rk/\n",
     False),
    ("marks", "a note to oneself", "cli/a.c", "/* TO" + "DO: later */\n", True),
    ("marks", "code that is switched off", "cli/a.c", "#if " + "0\n#endif\n", True),
    ("marks", "code under a condition", "cli/a.c", "#if 0x10 < X\n#endif\n", False),
    ("openings", "a header without a word", "cli/a.h", "#ifndef LEX_CLI_A_H\n#define LEX_CLI_A_H\n#endif\n",
     True),
    ("openings", "a header without a guard", "cli/a.h", "/* A: nothing. */\nint a;\n", True),
    ("openings", "a header as it should be", "cli/a.h",
     "/* A: nothing. */\n#ifndef LEX_CLI_A_H\n#define LEX_CLI_A_H\n#endif\n", False),
]


def main():
    failed = False
    for check, what, path, content, refused in TWINS:
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, os.path.dirname(path)))
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(content)
            found = tidy.findings(root, check)
        good = bool(found) == refused
        failed = failed or not good
        print(f"{'ok' if good else 'not ok'} - {check} {'refuses' if refused else 'takes'} {what}")
        if not good and found:
            print(*found, sep="\n")
    unguarded = set(tidy.CHECKS) - {check for check, _, _, _, refused in TWINS if refused}
    print(f"{'not ok' if unguarded else 'ok'} - every check has a twin {' '.join(sorted(unguarded))}")
    return 1 if failed or unguarded else 0


if __name__ == "__main__":
    sys.exit(main())
