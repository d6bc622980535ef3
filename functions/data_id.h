/*
 * The data folder's own name: 32 hex digits, made once, in its file `id`, and behind them the
 *folder's inode: a copy of the folder is another one, and gets another name; one that was moved
 *keeps it.
 *
 *	0c5ad1f0b3a94c6f8e0b7d5f3a1c2e4d 1835021
 */
#ifndef DAL_FUNCTIONS_DATA_ID_H
#define DAL_FUNCTIONS_DATA_ID_H

#define DAL_DATA_ID_BYTES 33

/* NULL: a passing one. Negated errno: the file can't be read or made, or is no id (-EBADMSG). */
int dal_data_id(const char *folder, char id[DAL_DATA_ID_BYTES]);

#endif
