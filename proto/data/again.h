/* Where what a damaged row held can be had again. */
#ifndef DATA_AGAIN_H
#define DATA_AGAIN_H

struct again {
    const char *table, *from;
};

/** By the table of a row, as findings name it ("outbox 3"), or by the table's name. The last of the
 *  list has the table "": it says it of all others. */
const char *again_from(const struct again *list, const char *row);

#endif
