/* The data folder's own name: 32 hex digits in its file `id`, made once and never changed. */
#ifndef DAL_FUNCTIONS_DATA_ID_H
#define DAL_FUNCTIONS_DATA_ID_H

#define DAL_DATA_ID_BYTES 33

/* NULL: a passing one. Negated errno: the file can't be read or made, or is no id (-EBADMSG). */
int dal_data_id(const char *folder, char id[DAL_DATA_ID_BYTES]);

#endif
