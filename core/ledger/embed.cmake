# The mirror's SQL as a C string: -DSQL=<file> -DOUT=<file>, run by the build.
file(READ ${SQL} text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE ${OUT} "#include \"core/ledger/mirror_sql.h\"\n\nconst char lex_mirror_sql[] =\n    \"${text}\";\n")
