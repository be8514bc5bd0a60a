/*
 * allow.c: the words of a role's `allow`: statements that are refused unless a role asks for them.
 *
 * Each of them lets a session do something that rules on tables say nothing of. A new word is a row
 * here and a bit in policy.h; what it opens is for the judge to ask by policy_role_allows.
 *
 * Trust boundary: none; names are the policy's, and what a client names is compared with them.
 */
#include <pgvigil/policy.h>
#include <pgvigil/text.h>
#include <string.h>

static const struct word {
    const char *word;
    enum policy_allow allow;
} words[] = {
    {"listen", ALLOW_LISTEN},       {"notify", ALLOW_NOTIFY},
    {"lock", ALLOW_LOCK},           {"prepared-transactions", ALLOW_PREPARED_TRANSACTIONS},
    {"explain", ALLOW_EXPLAIN},     {"large-objects", ALLOW_LARGE_OBJECTS},
    {"temporary", ALLOW_TEMPORARY},
};

enum policy_allow policy_allow_find(const char *word)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].allow;
    return ALLOW_NONE;
}

const char *policy_allow_word(size_t index)
{
    return index < sizeof(words) / sizeof(words[0]) ? words[index].word : NULL;
}

bool policy_role_allows(const struct policy *policy, int role, enum policy_allow allow)
{
    return role >= 0 && (size_t)role < policy->role_count && !policy->roles[role].unrestricted &&
           (policy->roles[role].allows & allow) != 0;
}

bool policy_channel_open(const struct policy *policy, int role, const char *channel)
{
    if (role < 0 || (size_t)role >= policy->role_count)
        return false;
    for (size_t i = 0; i < policy->roles[role].channel_count; i++)
        if (text_matches(policy->roles[role].channels[i], channel))
            return true;
    return false;
}
