/* A shared object that is no plug-in. */
extern const int limn_nothing;
const int limn_nothing = 0;
