/*
 * vocabulary.c: words of columns' and tables' names (see vocabulary.h).
 *
 * A word too many here makes a column look like what it is not; a word that many kinds of database
 * use (code, label, type) is not here, so that what nobody has looked at stays hidden.
 */
#include "tools/vocabulary.h"

#include <string.h>

#define ANY   (~0u)
#define TEXTS (CLASS_BIT(VALUE_TEXT) | CLASS_BIT(VALUE_DOCUMENT))

/* A comma between names, a blank between a name's words; * at the end of a word: any ending. Those
 * of CATEGORY_NONE say nothing, and keep a shorter run inside them from saying something. */
static const struct {
    const char *names;
    enum category category;
    enum kind kind;
    unsigned classes;
    bool weak;
    bool medical;
} entries[] = {
    {"nir,nirpp,insee nir,num secu,numero secu,no secu,securite sociale,numero ss,num ss,"
     "social security,ssn,no ss,ins,ins nir,ins nia,nia,matricule ins,ins c",
     CATEGORY_IDENTIFIER, KIND_NIR, CLASSES_DIGITS, false, false},
    {"ipp,iep,nip,ndossier,numero dossier,num dossier,no dossier,dossier patient,"
     "medical record number,mrn,patient number,numero patient,num patient,no patient,"
     "external id,nda,iss,passport,passeport,carte identite,cni,identity card,"
     "permis conduire,driver license,drivers license",
     CATEGORY_IDENTIFIER, KIND_NONE, CLASSES_DIGITS, false, false},
    {"date naissance,datenaissance,naissance,ddn,dob,birth date,birthdate,date birth,"
     "date of birth,birthday,birth,date nais,dat nais,dt naissance,dtnaiss,datenaiss",
     CATEGORY_IDENTIFIER, KIND_BIRTH_DATE, CLASSES_DATE, false, false},
    {"annee naissance,birth year,year birth,tob,heure naissance,birth time,age,"
     "lieu naissance,commune naissance,pays naissance,birth place,place birth,birthplace,"
     "cob,country birth,ville naissance,deces,date deces,deceased,date of death,"
     "death date,date death,decede,sexe,sex,gender,genre,civilite,civility,salutation,"
     "marital status,situation familiale,situation matrimoniale,etat civil,nationalite,"
     "nationality,religion,ethnicity,ethnie,race,mothers name,fathers name,nom mere,"
     "nom pere,mother,father,photo,portrait,signature image,empreinte digitale,"
     "fingerprint image",
     CATEGORY_IDENTIFIER, KIND_NONE, ANY, false, false},
    {"prenom,prenoms,firstname,firstnames,first name,first names,given name,given names,"
     "givenname,forename,forenames,middle name,middlename,prenom usage,prenom naissance,"
     "second name",
     CATEGORY_IDENTIFIER, KIND_GIVEN_NAME, CLASSES_TEXT, false, false},
    {"nom naissance,nom jeune fille,nom usage,nom usuel,nom famille,nom patronymique,"
     "patronyme,lastname,lastnames,last name,last names,family name,familyname,surname,"
     "maiden name,maidenname,nomnaissance,nomusage,nom marital,birth name",
     CATEGORY_IDENTIFIER, KIND_FAMILY_NAME, CLASSES_TEXT, false, false},
    {"nom prenom,prenom nom,nom complet,full name,fullname,real name,realname,nom patient,"
     "patient name,nomprenom,personne confiance,display name person,emergency contact,"
     "personne a prevenir,name of patient",
     CATEGORY_IDENTIFIER, KIND_FULL_NAME, CLASSES_TEXT, false, false},
    {"nickname,nick name,pseudo,preferred name,alias name,nick", CATEGORY_IDENTIFIER, KIND_NONE,
     CLASSES_TEXT, false, false},
    {"nom", CATEGORY_IDENTIFIER, KIND_FAMILY_NAME, CLASSES_TEXT, true, false},
    {"name", CATEGORY_IDENTIFIER, KIND_FULL_NAME, CLASSES_TEXT, true, false},
    {"tel,telephone,phone,tel fixe,tel portable,telephone fixe,telephone portable,mobile,"
     "mobile phone,portable,gsm,fax,telecopie,phone number,home phone,work phone,"
     "homephone,workphone,mobilephone,pagerphone,pager,numtel,numero telephone,num tel,"
     "notel,cell phone,cellphone",
     CATEGORY_CONTACT, KIND_PHONE, CLASSES_DIGITS, false, false},
    {"email,mail,courriel,e mail,adresse mail,adresse email,adresse electronique,"
     "email address,emailaddress,mel,mssante,mss,mail address,adresse mssante",
     CATEGORY_CONTACT, KIND_EMAIL, CLASSES_TEXT, false, false},
    {"adresse,address,adresse1,adresse2,adresse 1,adresse 2,address1,address2,address 1,"
     "address 2,addr,adr,street,street address,rue,voie,numero voie,libelle voie,"
     "adresse postale,adresse complete,home address,complement adresse,house number,"
     "streetname,subunit,aux street",
     CATEGORY_CONTACT, KIND_ADDRESS, CLASSES_TEXT, false, false},
    {"code postal,codepostal,cp,zip,zipcode,zip code,postcode,post code,postal code,"
     "postalcode,plz,cpos,codpost",
     CATEGORY_CONTACT, KIND_POSTCODE, CLASSES_DIGITS, false, false},
    {"code insee,code commune,insee "
     "commune,ville,city,commune,town,localite,locality,suburb,adresse ville",
     CATEGORY_CONTACT, KIND_NONE, CLASSES_TEXT, false, false},
    {"latitude,longitude,gps,lat lon", CATEGORY_CONTACT, KIND_NONE, ANY, false, false},
    {"contact,contact info,coordonnees,lat lng", CATEGORY_CONTACT, KIND_NONE, CLASSES_TEXT, true,
     false},
    {"rpps,no rpps,num rpps,numero rpps", CATEGORY_STAFF, KIND_RPPS, CLASSES_DIGITS, false, false},
    {"adeli,no adeli,num adeli,numero adeli", CATEGORY_STAFF, KIND_ADELI, CLASSES_DIGITS, false,
     false},
    {"numero am,num am,no am,am number,numero assurance maladie", CATEGORY_STAFF, KIND_AM_NUMBER,
     CLASSES_DIGITS, false, false},
    {"prescripteur,prescriber,medecin,medecin traitant,praticien,practitioner,provider,"
     "physician,attending,operateur,operator name,chirurgien,surgeon,infirmier,nurse,"
     "auteur,author,redacteur,signataire,clinician,radiologist",
     CATEGORY_STAFF, KIND_NONE, CLASSES_TEXT, false, false},
    {"iban,rib,bic,compte bancaire,bank account", CATEGORY_BILLING, KIND_IBAN, CLASSES_TEXT, false,
     false},
    {"numero carte bancaire,credit card,card number", CATEGORY_BILLING, KIND_NONE, CLASSES_DIGITS,
     false, false},
    {"ccam,code acte,acte ccam,code ccam,acte,act,ngap,ghm,ghs,actes", CATEGORY_BILLING, KIND_CCAM,
     CLASSES_TEXT, false, false},
    {"mutuelle,amc,amo,caisse,centre payeur,numero adherent,num adherent,no adherent,"
     "insurance,insurance number,insurer,assurance,tiers payant,organisme,policy number,"
     "insurance company",
     CATEGORY_BILLING, KIND_NONE, CLASSES_TEXT, false, false},
    {"montant,amount,prix,price,tarif,facture,invoice,invoice number,numero facture,"
     "depassement,honoraires,remboursement,reimbursed,rembourse,total ttc,montant ttc,"
     "unit price,vat,currency,devise,base remboursement,amount to pay,net amount,"
     "final amount,salaire,salary,gross,bill",
     CATEGORY_BILLING, KIND_NONE, ANY, false, false},
    {"consentement,consent,opposition,objection,directive anticipee,directives anticipees,"
     "tutelle,curatelle,tuteur,mesure protection,legal guardian,plainte,withdrawn on,"
     "retrait consentement",
     CATEGORY_LEGAL, KIND_NONE, ANY, false, false},
    {"technical note,release note,release notes,file name,filename,nom fichier,table name,"
     "nom table,column name,schema name,class name,template name,display name,host name,"
     "hostname,domain name,server name,user name,username,login name,group name,"
     "queue name,role name,field name,object name,type name,nom ecran,nom service,"
     "nom court,service name,short name,nom affiche,product name,nom produit,"
     "nom medicament,drug name,brand name,nom commercial,test name,unit name,"
     "mail template,email template,body site,body weight,message id,messageid,phone type,"
     "address type,type adresse,type telephone,city code,mime type,parent name,"
     "name pattern,email format,gender code,date created,age group,street number type,"
     "content type,contenttype,contentencoding,content encoding,correspondaddress,"
     "comment address,commentaddress,certificate",
     CATEGORY_NONE, KIND_NONE, ANY, false, false},
    {"siret", CATEGORY_ADMIN, KIND_SIRET, CLASSES_DIGITS, false, false},
    {"siren", CATEGORY_ADMIN, KIND_SIREN, CLASSES_DIGITS, false, false},
    {"finess,no finess,num finess,finess geographique,finess juridique", CATEGORY_ADMIN,
     KIND_FINESS, CLASSES_DIGITS, false, false},
    {"ip,adresse ip,ip address,ipaddress,remote addr,remote address,client addr,"
     "client address,ip addr,host address",
     CATEGORY_TECHNICAL, KIND_IP_ADDRESS, CLASSES_TEXT | CLASS_BIT(VALUE_INET), false, false},
    {"uuid,guid,oid", CATEGORY_TECHNICAL, KIND_UUID, ANY, false, false},
    {"hash,md5,sha1,sha256,checksum,digest,empreinte", CATEGORY_TECHNICAL, KIND_HASH, CLASSES_TEXT,
     false, false},
    {"mac address,adresse mac,user agent,session key,xmin,row version,modified when,"
     "modified by,created at,updated at,cree le,modifie le,date creation,"
     "date modification,created,updated,lastupdated,creator,lastupdatedby,last modified,"
     "created by,updated by,sort order,sortorder,ordre affichage",
     CATEGORY_ADMIN, KIND_NONE, ANY, false, false},
    {"diagnos*,cim,cim10,cim 10,icd,icd10,icd 10,code cim,dp,das,icd code", CATEGORY_MEDICAL,
     KIND_ICD10, CLASSES_TEXT, false, false},
    {"loinc,code loinc,loinc code", CATEGORY_MEDICAL, KIND_LOINC, CLASSES_TEXT, false, false},
    {"atc,code atc,atc code,atc substance,atc brand", CATEGORY_MEDICAL, KIND_ATC, CLASSES_TEXT,
     false, false},
    {"cip13,cip 13,code cip13", CATEGORY_MEDICAL, KIND_CIP13, CLASSES_DIGITS, false, false},
    {"cip7,cip 7,code cip7,cip", CATEGORY_MEDICAL, KIND_CIP7, CLASSES_DIGITS, false, false},
    {"allerg*,antecedent*,patholog*,symptom*,maladie,maladies,disease,illness,pronostic,"
     "prognosis,anamnes*,examen clinique,clinical,clinique,groupe sanguin,blood group,"
     "blood type,rhesus,poids,imc,bmi,tension arterielle,blood pressure,temperature,"
     "heart rate,pouls,frequence cardiaque,spo2,saturation,glycemie,grossesse,pregnan*,"
     "gestit*,parite,lmp,contraception,vaccin*,immunis*,medicament,medicaments,medication,"
     "drug,posologie,dosage,dose,traitement,ordonnance,prescription,substance,vih,hiv,"
     "serologie,addiction*,tabac,alcool,tobacco,alcohol,smok*,drinking,handicap,"
     "disability,intervention,chirurgie,surgery,anesthes*,resultat,resultats,biologie,"
     "lab result,radiology,irm,scanner,motif,motif consultation,motif hospitalisation,"
     "reason for encounter,reason for visit,rfe,aoe,assessment,encounter reason,"
     "narrative,episode,health issue,laterality,lateralite,finding,findings,observation,"
     "conclusion,compte rendu,cr,crh,vital sign,route administration,voie administration,"
     "effet indesirable,adverse reaction,reaction,contre indication*,contraindicat*,"
     "indication*,ald,dossier medical,fruit consommation,cause death,cause of death,"
     "cause deces,preparation,schedule,intake,discontinue reason",
     CATEGORY_MEDICAL, KIND_NONE, ANY, false, false},
    {"loc,value,valeur,result,val num,val alpha,norm,normal range,abnormal,abnormality,"
     "low,high,unite mesure,severity,severite,gravite,description,summary,indication,"
     "route,duree,duration,reason,motive,outcome,evolution,type reaction,generic,"
     "certainty,label,title,val,comment,note,aim,progress,definite,generic specific,diet,"
     "strength,lot,batch no,batch,site,modality,weight,height,taille",
     CATEGORY_MEDICAL, KIND_NONE, ANY, false, true},
    {"note,notes,comment,comments,commentaire,commentaires,remarque,remarques,remark,"
     "remarks,observations,body,texte,texte libre,free text,message,contenu,content,memo,"
     "description libre,annotation,corps,lettre,letter,courrier,biographie,biography",
     CATEGORY_FREE_TEXT, KIND_NONE, TEXTS, false, false},
};

static const struct {
    const char *names;
    enum table_about about;
} tables[] = {
    {"drug,drugs,medicament,medicaments,medication "
     "catalog,ward,wards,service,services,country,pays,"
     "region,regions,province,template,templates,department,departement,unit,units,form,forms,"
     "queue,queues,group,groups,gender label,name gender map,marital status,relation types,"
     "relation type,identity type,org,organisation,organization,field,fields,test type,test types",
     ABOUT_THING},
    {"patient,patients,malade,malades,usager,usagers,identity,identite,identites,beneficiaire,"
     "beneficiaires,resident,residents,assure,assures,ayant droit",
     ABOUT_PATIENT},
    {"practitioner,practitioners,medecin,medecins,staff,praticien,praticiens,professionnel,"
     "professionnels,provider,providers,intervenant,intervenants,employee,employees,salarie,"
     "salaries,physician,physicians,nurse,nurses,personnel,doctor,doctors",
     ABOUT_PROFESSIONAL},
    {"person,persons,personne,personnes,people,contact,contacts,user,users,utilisateur,"
     "utilisateurs,names,member,members,membre,membres,party,client,clients,famille",
     ABOUT_PERSON},
    {"allerg*,vaccin*,diagnos*,encounter,encounters,episode,episodes,consultation,consultations,"
     "prescription,prescriptions,traitement,traitements,hospitalisation,observation,observations,"
     "lab,biologie,symptom*,antecedent*,patholog*,clin,clinical,clinique,medical,substance intake,"
     "test result,lab result,lab results,test results,health issue,patient journal,acte medical,"
     "grossesse,pregnancy",
     ABOUT_MEDICAL},
};

/* ---- words ---- */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* aB, and the last capital of a run before a small letter: dateNaissance, INSPatient. */
static bool camel(const char *name, size_t at)
{
    return at > 0 && is_upper(name[at]) &&
           (is_lower(name[at - 1]) || (is_upper(name[at - 1]) && is_lower(name[at + 1])));
}

void vocabulary_split(const char *name, struct tokens *tokens)
{
    char spaced[sizeof tokens->text];
    size_t size = 0;
    for (size_t i = 0; name[i] != '\0' && size + 3 < sizeof spaced; i++) {
        if (camel(name, i))
            spaced[size++] = ' ';
        spaced[size++] = name[i];
    }
    detect_fold(spaced, size, tokens->text, sizeof tokens->text);
    tokens->count = 0;
    bool inside = false;
    for (char *at = tokens->text; *at != '\0'; at++) {
        bool letter = is_lower(*at) || (*at >= '0' && *at <= '9');
        if (!letter)
            *at = '\0';
        else if (!inside && tokens->count < TOKENS_MAX)
            tokens->word[tokens->count++] = at;
        inside = letter;
    }
}

/* Whether the run of words of `list` up to a comma stands in the tokens from `from` on; its length
 * in words. */
static size_t run_at(const char *names, const struct tokens *tokens, size_t from)
{
    size_t words = 0;
    while (*names != '\0' && *names != ',') {
        size_t len = strcspn(names, " ,");
        const char *word = from + words < tokens->count ? tokens->word[from + words] : "";
        bool prefix = names[len - 1] == '*';
        if (prefix ? strncmp(word, names, len - 1) != 0
                   : strlen(word) != len || strncmp(word, names, len) != 0)
            return 0;
        words++;
        names += len;
        names += *names == ' ' ? 1 : 0;
    }
    return words;
}

/* The longest run of a list; *found is its place in the list. */
static size_t run_of(const char *list, const struct tokens *tokens, const char **found)
{
    size_t best = 0;
    for (const char *names = list;; names++) {
        for (size_t from = 0; from < tokens->count; from++) {
            size_t words = run_at(names, tokens, from);
            if (words > best) {
                best = words;
                *found = names;
            }
        }
        names += strcspn(names, ",");
        if (*names == '\0')
            return best;
    }
}

/* ---- what is asked ---- */

enum table_about vocabulary_table(const char *name)
{
    struct tokens tokens;
    enum table_about about = ABOUT_NOTHING;
    size_t best = 0;
    vocabulary_split(name, &tokens);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const char *found = NULL;
        size_t words = run_of(tables[i].names, &tokens, &found);
        if (words > best) {
            best = words;
            about = tables[i].about;
        }
    }
    return about;
}

/* Of runs of one length: one that says it everywhere, then the one that asks for more protection.
 */
static bool surer(const struct hit *one, const struct hit *other)
{
    bool conditional = one->weak || one->medical;
    if (other->words != NULL && conditional != (other->weak || other->medical))
        return !conditional;
    return one->category > other->category;
}

struct hit vocabulary_column(const char *name, enum value_class class)
{
    struct tokens tokens;
    struct hit hit = {CATEGORY_NONE, KIND_NONE, false, false, NULL};
    size_t best = 0;
    vocabulary_split(name, &tokens);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        const char *found = NULL;
        size_t words = run_of(entries[i].names, &tokens, &found);
        bool possible =
            entries[i].category == CATEGORY_NONE || (entries[i].classes & CLASS_BIT(class)) != 0;
        struct hit candidate = {entries[i].category, entries[i].kind, entries[i].weak,
                                entries[i].medical, found};
        if (words == 0 || !possible || words < best || (words == best && !surer(&candidate, &hit)))
            continue;
        best = words;
        hit = candidate;
    }
    return hit;
}
