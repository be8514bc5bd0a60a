/*
 * detect_people.c: names of people and of streets (see detect.h).
 *
 * The lists hold the names that are most frequent in France, and the most frequent English and
 * German ones: enough that a column of names has many of them, too few that a word would be taken
 * for a name because it is in a list. So these kinds ask for a share of the values, not for nine in
 * ten. Lists are in the order of strcmp, for bsearch.
 */
#include "tools/detect.h"

#include <stdlib.h>
#include <string.h>

static const char *const given_names[] = {
    "aaron",     "abdel",      "abdoulaye", "adam",       "adele",      "adeline",   "adrien",
    "agathe",    "agnes",      "ahmed",     "ahmet",      "aicha",      "aissatou",  "alain",
    "albert",    "alexander",  "alexandra", "alexandre",  "alexia",     "ali",       "alice",
    "alicia",    "amadou",     "amanda",    "amandine",   "ambre",      "aminata",   "amine",
    "amy",       "ana",        "anais",     "andre",      "andreas",    "andree",    "andrew",
    "angela",    "angele",     "angelique", "anja",       "anna",       "anne",      "annick",
    "annie",     "anouk",      "anthony",   "antoine",    "antonio",    "apolline",  "armand",
    "arnaud",    "arthur",     "ashley",    "audrey",     "augustin",   "aurelie",   "aurelien",
    "awa",       "axel",       "ayse",      "baptiste",   "barbara",    "basile",    "bastien",
    "beatrice",  "benjamin",   "benoit",    "bernadette", "bernard",    "betty",     "bilal",
    "birgit",    "blanche",    "blandine",  "boubacar",   "brandon",    "brian",     "brigitte",
    "bruno",     "camille",    "capucine",  "carlos",     "carmen",     "carol",     "carole",
    "caroline",  "catherine",  "cathy",     "cecile",     "cedric",     "celine",    "chantal",
    "charles",   "charlotte",  "cheikh",    "chloe",      "christelle", "christian", "christina",
    "christine", "christophe", "cindy",     "claire",     "clara",      "claude",    "claudie",
    "claudine",  "clemence",   "clement",   "colette",    "constance",  "coralie",   "corentin",
    "corinne",   "cyril",      "damien",    "daniel",     "danielle",   "david",     "deborah",
    "debra",     "delphine",   "denis",     "denise",     "dennis",     "diane",     "didier",
    "dieter",    "dolores",    "dominique", "donna",      "dylan",      "edith",     "edouard",
    "edward",    "eleonore",   "eliane",    "eliott",     "elisa",      "elisabeth", "elise",
    "elizabeth", "elodie",     "eloi",      "elsa",       "emile",      "emilie",    "emily",
    "emma",      "emmanuel",   "enzo",      "eric",       "erwan",      "estelle",   "ethan",
    "etienne",   "eugene",     "eugenie",   "eva",        "evelyn",     "evelyne",   "fabien",
    "fabienne",  "fabrice",    "fanny",     "farid",      "fatima",     "fatma",     "fatou",
    "felix",     "fernand",    "flavie",    "flora",      "florence",   "florian",   "frances",
    "francesca", "francis",    "franck",    "francois",   "francoise",  "frank",     "frederic",
    "gabriel",   "gael",       "gaelle",    "gaetan",     "gary",       "gaspard",   "genevieve",
    "george",    "georges",    "georgette", "gerard",     "germaine",   "ghislaine", "gilles",
    "ginette",   "giovanni",   "gisela",    "gisele",     "giuseppe",   "grace",     "gregory",
    "greta",     "guillaume",  "gunter",    "gunther",    "guy",        "hamid",     "hannah",
    "hans",      "hassan",     "heather",   "heike",      "heinz",      "helen",     "helene",
    "helga",     "heloise",    "henri",     "henriette",  "henry",      "herve",     "horst",
    "hortense",  "hugo",       "huguette",  "ibrahim",    "ibrahima",   "ilyes",     "ines",
    "ingrid",    "iris",       "isabelle",  "ismael",     "jack",       "jacob",     "jacqueline",
    "jacques",   "jade",       "james",     "jan",        "janet",      "janine",    "jason",
    "javier",    "jean",       "jeanne",    "jeannine",   "jeffrey",    "jennifer",  "jeremy",
    "jerome",    "jerry",      "jessica",   "joan",       "joao",       "jocelyne",  "joelle",
    "johanna",   "john",       "jonathan",  "jordan",     "jose",       "joseph",    "josephine",
    "josette",   "joshua",     "josiane",   "joyce",      "juan",       "judith",    "jules",
    "julia",     "julie",      "julien",    "juliette",   "jurgen",     "justine",   "kadiatou",
    "kamel",     "karen",      "karim",     "karima",     "karine",     "karl",      "katharina",
    "katherine", "kathleen",   "katrin",    "kelly",      "kenneth",    "kevin",     "khadija",
    "killian",   "kimberly",   "klaus",     "laetitia",   "larry",      "laura",     "laure",
    "laurence",  "laurent",    "lea",       "leila",      "lena",       "leon",      "liam",
    "liliane",   "lina",       "linda",     "lionel",     "lisa",       "loic",      "lola",
    "lou",       "louane",     "louis",     "louise",     "louna",      "lucas",     "lucie",
    "lucien",    "lucienne",   "ludovic",   "luigi",      "luis",       "lukas",     "lydia",
    "lydie",     "madeleine",  "mael",      "maelys",     "maeva",      "magali",    "malika",
    "malo",      "mamadou",    "manfred",   "manon",      "manuel",     "marc",      "marcel",
    "marcelle",  "margaret",   "margaux",   "marguerite", "maria",      "mariam",    "mariama",
    "marianne",  "marie",      "marielle",  "marine",     "mario",      "marion",    "marius",
    "mark",      "markus",     "martha",    "martin",     "martine",    "mary",      "maryse",
    "mathieu",   "mathilde",   "mathis",    "matthias",   "matthieu",   "maurice",   "mauricette",
    "maxime",    "maximilian", "mehdi",     "mehmet",     "melanie",    "melissa",   "michael",
    "michel",    "michele",    "michelle",  "mickael",    "miguel",     "mila",      "mireille",
    "mohamed",   "monika",     "monique",   "morgane",    "moussa",     "muriel",    "murielle",
    "mustapha",  "myriam",     "nabil",     "nadege",     "nadia",      "nadine",    "naima",
    "nancy",     "nathalie",   "nathan",    "nicolas",    "nicole",     "nina",      "noah",
    "noe",       "noemie",     "oceane",    "odette",     "olivia",     "olivier",   "omar",
    "ophelie",   "oscar",      "ousmane",   "pamela",     "pascal",     "pascale",   "patricia",
    "patrick",   "paul",       "paulette",  "pauline",    "pedro",      "perrine",   "peter",
    "petra",     "philippe",   "pierre",    "pilar",      "priscilla",  "quentin",   "rachel",
    "rachid",    "rachida",    "raoul",     "raphael",    "rayan",      "raymond",   "raymonde",
    "rebecca",   "regine",     "regis",     "remi",       "remy",       "renate",    "rene",
    "renee",     "richard",    "robert",    "robin",      "roger",      "roland",    "rolande",
    "romain",    "romane",     "ronan",     "rose",       "roselyne",   "ruth",      "ryan",
    "sabine",    "sabrina",    "sacha",     "said",       "salome",     "samir",     "samira",
    "samuel",    "sandra",     "sandrine",  "sarah",      "scott",      "sebastien", "serge",
    "severine",  "sharon",     "sibylle",   "simon",      "simone",     "solange",   "solene",
    "sonia",     "sophie",     "stefan",    "stephan",    "stephane",   "stephanie", "stephen",
    "steven",    "susan",      "susanne",   "suzanne",    "suzy",       "sylviane",  "sylvie",
    "tanguy",    "tatiana",    "teresa",    "theo",       "therese",    "thibault",  "thibaut",
    "thierry",   "thomas",     "timothy",   "tiphaine",   "tobias",     "tom",       "tristan",
    "tyler",     "ursula",     "uwe",       "valentin",   "valentine",  "valerie",   "vanessa",
    "veronique", "victoire",   "victor",    "victoria",   "vincent",    "virginia",  "virginie",
    "viviane",   "william",    "wolfgang",  "xavier",     "yanis",      "yann",      "yasmine",
    "yolande",   "youssef",    "yves",      "yvette",     "yvonne",     "zineb",     "zoe",
    "zohra",
};

static const char *const family_names[] = {
    "adam",       "adams",      "albrecht",   "alexandre", "allen",       "alves",     "anderson",
    "andre",      "angelo",     "antoine",    "arnaud",    "aubert",      "aubry",     "bah",
    "bailey",     "bailly",     "baker",      "barbier",   "barnes",      "baron",     "barre",
    "barry",      "barthelemy", "baudry",     "bauer",     "baumann",     "bazin",     "beck",
    "becker",     "belkacem",   "benali",     "benard",    "bennett",     "benoit",    "berger",
    "bergmann",   "bernard",    "bertin",     "bertrand",  "besancon",    "besnard",   "besson",
    "bigot",      "blanc",      "blanchard",  "blin",      "bohm",        "bonneau",   "bonnet",
    "bouchard",   "boucher",    "bouchet",    "boulanger", "bourgeois",   "bousquet",  "bouvet",
    "bouvier",    "bouzid",     "boyer",      "brahimi",   "brandt",      "braun",     "breton",
    "briand",     "brooks",     "brossard",   "brown",     "brun",        "brunet",    "buisson",
    "busch",      "butler",     "camara",     "campbell",  "camus",       "carlier",   "caron",
    "carpentier", "carre",      "carter",     "charles",   "charpentier", "chartier",  "chauvet",
    "chauvin",    "chen",       "cherif",     "chevalier", "chevallier",  "cisse",     "clement",
    "cohen",      "colin",      "collet",     "collin",    "collins",     "cook",      "cooper",
    "cordier",    "cornu",      "costa",      "coulibaly", "coulon",      "courtois",  "cousin",
    "couturier",  "cox",        "daniel",     "david",     "davis",       "delage",    "delaunay",
    "delmas",     "delorme",    "denis",      "descamps",  "deschamps",   "devaux",    "diallo",
    "didier",     "dietrich",   "diop",       "dubois",    "dubreuil",    "dufour",    "duhamel",
    "dumas",      "dumont",     "dupont",     "dupre",     "dupuis",      "dupuy",     "durand",
    "duval",      "edwards",    "engel",      "etienne",   "evans",       "evrard",    "fabre",
    "faure",      "fernandes",  "fernandez",  "ferrand",   "ferreira",    "ferry",     "fischer",
    "fisher",     "fleury",     "fontaine",   "foster",    "foucher",     "fournier",  "francois",
    "frank",      "franke",     "friedrich",  "fuchs",     "gaillard",    "gall",      "garcia",
    "garnier",    "gaudin",     "gauthier",   "gautier",   "gay",         "georges",   "gerard",
    "germain",    "gilbert",    "gilles",     "gillet",    "girard",      "giraud",    "godard",
    "gomes",      "gonzalez",   "graf",       "gray",      "green",       "grondin",   "gros",
    "gross",      "guerin",     "guichard",   "guilbert",  "guillaume",   "guillet",   "guillon",
    "guillot",    "gunther",    "guyot",      "haas",      "haddad",      "hahn",      "hall",
    "hamidi",     "hamon",      "hardy",      "harris",    "hartmann",    "hebert",    "heinrich",
    "henry",      "herrmann",   "herve",      "hill",      "hoarau",      "hoareau",   "hoffmann",
    "hofmann",    "horn",       "howard",     "huber",     "hubert",      "huet",      "hughes",
    "humbert",    "imbert",     "jackson",    "jacob",     "jacques",     "jacquet",   "jacquot",
    "jager",      "jean",       "jenkins",    "johnson",   "joly",        "jones",     "joseph",
    "joubert",    "julien",     "jung",       "kaci",      "kaiser",      "keita",     "keller",
    "kelly",      "king",       "klein",      "koch",      "kohler",      "konate",    "konig",
    "kramer",     "kraus",      "krause",     "kruger",    "kuhn",        "labbe",     "lacombe",
    "lacoste",    "lacroix",    "lagarde",    "laine",     "lambert",     "lamy",      "lang",
    "lange",      "langlois",   "laporte",    "laroche",   "laurent",     "leblanc",   "lebon",
    "lebrun",     "leclerc",    "leclercq",   "lecomte",   "lecoq",       "leduc",     "lefebvre",
    "lefevre",    "lefort",     "leger",      "legrand",   "legros",      "lehmann",   "lejeune",
    "lelievre",   "lemaire",    "lemaitre",   "lemoine",   "leroux",      "leroy",     "lesage",
    "leveque",    "levy",       "lewis",      "loiseau",   "long",        "lopes",     "lopez",
    "lorenz",     "louis",      "lucas",      "ludwig",    "mahe",        "maier",     "maillard",
    "maillot",    "mallet",     "mansouri",   "marchal",   "marchand",    "marechal",  "marie",
    "martin",     "martinez",   "martins",    "marty",     "mary",        "masse",     "masson",
    "mathieu",    "maury",      "mayer",      "meier",     "menard",      "mercier",   "meunier",
    "meyer",      "michaud",    "michel",     "michelet",  "miller",      "millet",    "mitchell",
    "moller",     "monnet",     "monnier",    "moore",     "moreau",      "morel",     "morgan",
    "morin",      "morris",     "morvan",     "moulin",    "muller",      "murphy",    "myers",
    "navarro",    "ndiaye",     "nelson",     "neumann",   "neveu",       "nguyen",    "nicolas",
    "noel",       "olivier",    "ollivier",   "ortiz",     "otto",        "pages",     "parent",
    "paris",      "parker",     "pascal",     "pasquier",  "paul",        "payet",     "pelletier",
    "peltier",    "pereira",    "perez",      "perret",    "perrier",     "perrin",    "perrot",
    "perry",      "peters",     "peterson",   "petit",     "petitjean",   "pham",      "philippe",
    "phillips",   "picard",     "pichon",     "pierre",    "pineau",      "pohl",      "poirier",
    "pons",       "pottier",    "poulain",    "powell",    "prevost",     "price",     "raymond",
    "raynaud",    "reed",       "regnier",    "remy",      "renard",      "renaud",    "renault",
    "rey",        "reynaud",    "ribeiro",    "richard",   "richardson",  "richter",   "riou",
    "riviere",    "robert",     "roberts",    "robin",     "roche",       "rodrigues", "rodriguez",
    "roger",      "rogers",     "rolland",    "ross",      "rossi",       "roth",      "rousseau",
    "roussel",    "rousset",    "roux",       "roy",       "royer",       "russell",   "saidi",
    "salmon",     "sanchez",    "sanders",    "santos",    "sauvage",     "schafer",   "schmid",
    "schmidt",    "schmitt",    "schneider",  "scholz",    "schreiber",   "schroder",  "schubert",
    "schulz",     "schulze",    "schumacher", "schuster",  "schwarz",     "scott",     "seguin",
    "seidel",     "serre",      "silva",      "simon",     "slimani",     "smith",     "sommer",
    "sow",        "stein",      "stewart",    "sullivan",  "sylla",       "tanguy",    "taylor",
    "tessier",    "texier",     "thibault",   "thomas",    "thompson",    "toure",     "toussaint",
    "tran",       "traore",     "turner",     "valentin",  "vallee",      "vasseur",   "verdier",
    "vidal",      "vincent",    "vogel",      "vogt",      "voisin",      "wagner",    "walker",
    "walter",     "wang",       "ward",       "watson",    "weber",       "weiss",     "werner",
    "white",      "williams",   "wilson",     "winkler",   "winter",      "wolf",      "wood",
    "wright",     "young",      "zhang",      "ziegler",   "zimmermann",
};

/* ---- letters ---- */

/* U+00C0 to U+017F without what stands above or below the letter; two letters for ligatures. */
static const char *plain_letter(unsigned code)
{
    static const char *const latin1 =
        "aaaaaaaceeeeiiiidnooooo*ouuuuytsaaaaaaaceeeeiiiidnooooo*ouuuuyty";
    static const char letters[] =
        "a\0b\0c\0d\0e\0f\0g\0h\0i\0j\0k\0l\0m\0n\0o\0p\0q\0r\0s\0t\0u\0v\0w\0x\0y\0z";
    if (code == 0x152 || code == 0x153)
        return "oe";
    if (code == 0xdf)
        return "ss";
    if (code == 0xc6 || code == 0xe6)
        return "ae";
    if (code < 0xc0 || code > 0xff || latin1[code - 0xc0] == '*')
        return NULL;
    return letters + (size_t)(latin1[code - 0xc0] - 'a') * 2;
}

void detect_fold(const char *text, size_t len, char *out, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < len && count + 2 < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool wide = (byte & 0xe0) == 0xc0 && i + 1 < len;
        unsigned code =
            wide ? (unsigned)(byte & 0x1f) << 6 | ((unsigned char)text[i + 1] & 0x3f) : 0;
        const char *plain = wide ? plain_letter(code) : NULL;
        if (plain != NULL) {
            out[count++] = plain[0];
            if (plain[1] != '\0')
                out[count++] = plain[1];
        } else if (byte < 0x80) {
            out[count++] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : (char)byte;
        }
        i += wide ? 1 : 0;
        if (byte >= 0x80 && plain == NULL)
            out[count++] = '?';
    }
    out[count] = '\0';
}

static int compare(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

static bool listed(const char *word, const char *const *list, size_t count)
{
    return bsearch(word, list, count, sizeof list[0], compare) != NULL;
}

static bool is_given(const char *word)
{
    return listed(word, given_names, sizeof given_names / sizeof given_names[0]);
}

static bool is_family(const char *word)
{
    return listed(word, family_names, sizeof family_names / sizeof family_names[0]);
}

/* ---- names ---- */

#define WORDS_MAX 5
struct words {
    char text[96];
    const char *word[WORDS_MAX];
    size_t count;
};

/* Letters, and between them blanks, hyphens, apostrophes and dots: what a name is made of. */
static bool split(const char *text, size_t len, struct words *words)
{
    if (len < 2 || len > 60)
        return false;
    detect_fold(text, len, words->text, sizeof words->text);
    words->count = 0;
    bool inside = false;
    for (char *at = words->text; *at != '\0'; at++) {
        if (strchr(" -'.,", *at) != NULL) {
            *at = '\0';
            inside = false;
            continue;
        }
        if (*at < 'a' || *at > 'z' || (!inside && words->count == WORDS_MAX))
            return false;
        if (!inside)
            words->word[words->count++] = at;
        inside = true;
    }
    return words->count > 0;
}

/* "Marie", "Jean-Pierre". */
bool detect_given_name(const char *text, size_t len, int today)
{
    struct words words;
    (void)today;
    return split(text, len, &words) && words.count <= 3 && is_given(words.word[0]);
}

/* "Dupont", "Le Gall", "D'Angelo", "Martin-Durand". */
bool detect_family_name(const char *text, size_t len, int today)
{
    struct words words;
    (void)today;
    if (!split(text, len, &words) || words.count > 4)
        return false;
    for (size_t i = 0; i < words.count; i++)
        if (is_family(words.word[i]))
            return true;
    return false;
}

/* A given name and another word, in either order: "DUPONT Marie", "Dr Jean Martin". */
bool detect_full_name(const char *text, size_t len, int today)
{
    struct words words;
    (void)today;
    if (!split(text, len, &words) || words.count < 2)
        return false;
    for (size_t i = 0; i < words.count; i++) {
        if (!is_given(words.word[i]))
            continue;
        for (size_t j = 0; j < words.count; j++)
            if (j != i && strlen(words.word[j]) > 1)
                return true;
    }
    return false;
}

/* ---- streets ---- */

/* What nothing but a street is called. */
static bool street_word(const char *word)
{
    static const char *const words[] = {
        "allee",  "avenue",  "boulevard", "chaussee",    "chemin",   "faubourg",
        "hameau", "impasse", "lane",      "lotissement", "quai",     "road",
        "rue",    "ruelle",  "sentier",   "street",      "traverse", "venelle"};
    return listed(word, words, sizeof words / sizeof words[0]) || strcmp(word, "str") == 0 ||
           (strlen(word) > 6 && strstr(word, "strasse") != NULL);
}

/* Seats, courses and zones are numbered as well: only behind a number of its own. */
static bool street_behind_number(const char *word)
{
    static const char *const words[] = {"av",    "ave",    "bd",      "cite",  "cours",
                                        "drive", "montee", "passage", "place", "promenade",
                                        "route", "square", "st",      "villa", "voie"};
    return listed(word, words, sizeof words / sizeof words[0]);
}

/* "12 bis rue des Lilas", "3, place de l'Église", "Gartenstraße 5" and "Lange Str. 7". */
bool detect_address(const char *text, size_t len, int today)
{
    char folded[160];
    size_t words = 0;
    size_t names = 0; /* words of letters that are not the street's kind */
    bool numbered = len > 0 && text[0] >= '0' && text[0] <= '9';
    bool digit = false;
    bool street = false;
    (void)today;
    if (len < 6 || len > 150)
        return false;
    detect_fold(text, len, folded, sizeof folded);
    char *rest = NULL;
    for (char *word = strtok_r(folded, " ,.\n-'", &rest); word != NULL;
         word = strtok_r(NULL, " ,.\n-'", &rest)) {
        bool kind = street_word(word) || (numbered && street_behind_number(word));
        digit = digit || strspn(word, "0123456789") > 0;
        /* Near the beginning: prose has a "chemin" or a "road" somewhere. */
        street = street || (words < 4 && kind);
        names +=
            (!kind || strstr(word, "strasse") != NULL) && word[0] >= 'a' && word[1] != '\0' ? 1 : 0;
        words++;
    }
    return street && names > 0 && words >= 2 && words <= 12 && (digit || words <= 8);
}
