/* Series: the label sets that other modules' tables name, made at the start. A rate over a counter
 * that appears with its first error does not see that error, so every reason stands at 0 from the
 * start. */
#ifndef LEX_CONSUMER_SERIES_H
#define LEX_CONSUMER_SERIES_H

/* @thread main, before threads start */
void lex_series_preset(const char *node_id, const char *role);

#endif
