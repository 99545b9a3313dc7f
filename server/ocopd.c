/* The daemon's entry; everything else is in command.c and behind it. */
#include "command.h"

int main(int argc, char **argv)
{
    return command_main(argc, argv);
}
