/* What an enrolled device may send, given to the server's core in the middle of its work: the input
 * as the message inside a frame, and as the changes of the set that the device would seal next.
 * Both twice, so that what was taken is met again; each input meets the same registry. */
#include <string.h>

#include "bounds.h"
#include "fuzz.h"
#include "scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t frame[CHANNEL_KEY_LEN + KIB(48)];
    struct scene *s = scene();
    if (size > KIB(48))
        return 0;
    memcpy(frame, s->channel, CHANNEL_KEY_LEN);
    if (size)
        memcpy(frame + CHANNEL_KEY_LEN, data, size);
    scene_answer(span_of(frame, CHANNEL_KEY_LEN + size), NULL);
    if (scene_taken())
        scene_answer(span_of(frame, CHANNEL_KEY_LEN + size), NULL);
    scene_registry_back();
    scene_push(s, span_of(data, size));
    scene_registry_back();
    return 0;
}
