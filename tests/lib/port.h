/* Addresses of the loopback for tests with real sockets. */
#ifndef TEST_PORT_H
#define TEST_PORT_H

enum { PORT_ADDRESS_MAX = 64 };

/** A port that was free a moment ago; fails the test when there is none. */
int port_free(void);

/** "tcp://127.0.0.1:PORT" with such a port; returns out. */
const char *port_address(char out[PORT_ADDRESS_MAX]);

#endif
