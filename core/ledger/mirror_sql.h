/* The text of schemas/mirror.sql, which the build turns into a string (embed.cmake). */
#ifndef LEX_LEDGER_MIRROR_SQL_H
#define LEX_LEDGER_MIRROR_SQL_H

extern const char lex_mirror_sql[];

#endif
