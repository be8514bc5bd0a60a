<?xml version="1.0" encoding="UTF-8"?>
<!-- incident.xsl: the file of a breach (GDPR, article 33), of `pgvigil incident`. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:pgvigil:text" exclude-result-prefixes="t">
<xsl:output method="html" encoding="UTF-8" indent="no"/>

<xsl:template match="/">
  <xsl:call-template name="page">
    <xsl:with-param name="title"><t:fr>Violation de données personnelles</t:fr><t:en>Personal data breach</t:en></xsl:with-param>
    <xsl:with-param name="class">incident</xsl:with-param>
  </xsl:call-template>
</xsl:template>

<xsl:template match="document" mode="body">
  <div class="box">
    <h2><t:fr>Délai de 72 heures</t:fr><t:en>The 72 hours</t:en></h2>
    <xsl:choose>
      <xsl:when test="clock/@missing">
        <p><t:fr>Prise de connaissance par le responsable du traitement&#160;: </t:fr><t:en>The controller became aware: </t:en><xsl:apply-templates select="clock" mode="value"/></p>
      </xsl:when>
      <xsl:otherwise>
        <p><t:fr>Prise de connaissance par le responsable du traitement&#160;: </t:fr><t:en>The controller became aware: </t:en>
          <xsl:call-template name="moment"><xsl:with-param name="at" select="clock/aware"/></xsl:call-template></p>
        <p><strong><t:fr>Notification à la CNIL au plus tard&#160;: </t:fr><t:en>The CNIL is to be told by: </t:en>
          <xsl:call-template name="moment"><xsl:with-param name="at" select="clock/deadline"/></xsl:call-template></strong>
          <xsl:value-of select="concat(' – ', clock/deadline_utc)"/></p>
        <xsl:choose>
          <xsl:when test="clock/late = 'true'"><p class="alarm"><t:fr>Délai dépassé de <xsl:value-of select="clock/hours"/>&#160;h&#160;<xsl:value-of select="clock/minutes"/>&#160;min à l’établissement de ce document. La notification doit alors indiquer les motifs du retard (article&#160;33.1).</t:fr><t:en>Late by <xsl:value-of select="clock/hours"/> h <xsl:value-of select="clock/minutes"/> min when this document was made. The notification must then give the reasons for the delay (article 33.1).</t:en></p></xsl:when>
          <xsl:otherwise><p><t:fr>Il reste <xsl:value-of select="clock/hours"/>&#160;h&#160;<xsl:value-of select="clock/minutes"/>&#160;min à l’établissement de ce document.</t:fr><t:en><xsl:value-of select="clock/hours"/> h <xsl:value-of select="clock/minutes"/> min are left when this document is made.</t:en></p></xsl:otherwise>
        </xsl:choose>
      </xsl:otherwise>
    </xsl:choose>
    <p class="note"><t:fr>Soixante-douze heures entières, nuits, week-ends et jours fériés compris. Une notification incomplète peut être complétée ensuite&#160;: n’attendez pas de tout savoir.</t:fr><t:en>Seventy-two whole hours, nights, weekends and holidays among them. A notification that is not complete can be completed later: do not wait until all is known.</t:en></p>
  </div>

  <div class="box">
    <h2><t:fr>Où déclarer, où trouver de l’aide</t:fr><t:en>Where to declare, where to find help</t:en></h2>
    <ul>
      <li><t:fr>Notification à la CNIL&#160;: </t:fr><t:en>Notification to the CNIL: </t:en><a href="https://notifications.cnil.fr/notifications/index">https://notifications.cnil.fr/notifications/index</a></li>
      <li><t:fr>Assistance aux victimes&#160;: </t:fr><t:en>Help for victims: </t:en><a href="https://www.cybermalveillance.gouv.fr">https://www.cybermalveillance.gouv.fr</a></li>
    </ul>
  </div>

  <h2><t:fr>Ce que la trace établit</t:fr><t:en>What the trail shows</t:en></h2>
  <xsl:if test="damaged = 'true'"><p class="alarm"><t:fr>Une partie de la trace n’a pas pu être lue&#160;: les nombres sont des minima.</t:fr><t:en>Part of the trail could not be read: the numbers are minima.</t:en></p></xsl:if>
  <p class="note"><t:fr>Enregistrements retenus&#160;: </t:fr><t:en>Records counted: </t:en>
    <xsl:for-each select="filters/item"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="concat(name, ' = ', value)"/></xsl:for-each>.
    <t:fr> Heures en UTC.</t:fr><t:en> Times are UTC.</t:en></p>
  <table class="facts">
    <tbody>
    <tr><th scope="row"><t:fr>Personnes concernées</t:fr><t:en>Persons concerned</t:en></th>
      <td><strong><xsl:if test="counts/at_least = 'true'"><t:fr>au moins </t:fr><t:en>at least </t:en></xsl:if><xsl:value-of select="counts/patients"/></strong><t:fr> patient<xsl:if test="counts/patients &gt; 1">s</xsl:if></t:fr><t:en> patient<xsl:if test="counts/patients != 1">s</xsl:if></t:en>
        <xsl:if test="counts/inexact &gt; 0"><t:fr> (requêtes sans liste exacte des patients&#160;: <xsl:value-of select="counts/inexact"/>&#8239;; d’autres patients peuvent être concernés)</t:fr><t:en> (statements without an exact list of patients: <xsl:value-of select="counts/inexact"/>; others may be concerned)</t:en></xsl:if></td></tr>
    <tr><th scope="row"><t:fr>Enregistrements</t:fr><t:en>Records</t:en></th>
      <td><t:fr>lignes&#160;: <xsl:value-of select="counts/rows"/>&#8239;; requêtes&#160;: <xsl:value-of select="counts/statements"/></t:fr><t:en>rows: <xsl:value-of select="counts/rows"/>; statements: <xsl:value-of select="counts/statements"/></t:en>
        <xsl:if test="counts/uncertain &gt; 0"><t:fr>, dont l’issue est inconnue pour <xsl:value-of select="counts/uncertain"/></t:fr><t:en>, of which the outcome of <xsl:value-of select="counts/uncertain"/> is unknown</t:en></xsl:if></td></tr>
    <tr><th scope="row"><t:fr>Premier et dernier accès</t:fr><t:en>First and last access</t:en></th>
      <td><xsl:choose><xsl:when test="first"><xsl:call-template name="moment"><xsl:with-param name="at" select="concat(substring(first, 1, 19), 'Z')"/></xsl:call-template> – <xsl:call-template name="moment"><xsl:with-param name="at" select="concat(substring(last, 1, 19), 'Z')"/></xsl:call-template></xsl:when><xsl:otherwise><t:fr>aucun accès</t:fr><t:en>no access</t:en></xsl:otherwise></xsl:choose></td></tr>
    <tr><th scope="row"><t:fr>Requêtes refusées</t:fr><t:en>Refused statements</t:en></th><td><xsl:value-of select="counts/refused"/><t:fr> (rien n’a été montré)</t:fr><t:en> (nothing was shown)</t:en></td></tr>
    </tbody>
  </table>

  <h3><t:fr>Catégories de données</t:fr><t:en>Categories of data</t:en></h3>
  <table>
    <thead><tr><th scope="col"><t:fr>Catégorie</t:fr><t:en>Category</t:en></th><th scope="col"><t:fr>Sensible</t:fr><t:en>Sensitive</t:en></th><th scope="col" class="number">Patients</th><th scope="col" class="number"><t:fr>Requêtes</t:fr><t:en>Statements</t:en></th><th scope="col"><t:fr>Colonnes</t:fr><t:en>Columns</t:en></th></tr></thead>
    <tbody>
    <xsl:for-each select="categories/item">
      <tr><th scope="row"><xsl:call-template name="category-title"/></th>
        <td><xsl:choose><xsl:when test="sensitive = 'true'"><t:fr>oui</t:fr><t:en>yes</t:en></xsl:when><xsl:when test="sensitive = 'false'"><t:fr>non</t:fr><t:en>no</t:en></xsl:when><xsl:otherwise>?</xsl:otherwise></xsl:choose></td>
        <td class="number"><xsl:value-of select="patients"/></td><td class="number"><xsl:value-of select="statements"/></td>
        <td><xsl:for-each select="columns/item"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="column"/><xsl:if test="use = 'masked'"><t:fr> (masquée)</t:fr><t:en> (masked)</t:en></xsl:if><xsl:if test="use = 'written'"><t:fr> (modifiée)</t:fr><t:en> (written)</t:en></xsl:if></xsl:for-each>
          <xsl:if test="not(columns/item)"><t:fr>non précisées par la trace</t:fr><t:en>not told by the trail</t:en></xsl:if></td></tr>
    </xsl:for-each>
    </tbody>
  </table>
  <p class="note"><t:fr>Les catégories sont celles de la politique en vigueur à l’établissement du document, appliquées aux colonnes que la trace nomme. Une requête compte pour toutes ses catégories et tous ses patients.</t:fr><t:en>Categories are those of the policy in force when the document was made, for the columns that the trail names. A statement counts for all of its categories and all of its patients.</t:en></p>

  <h3>Tables</h3>
  <table>
    <thead><tr><th scope="col">Table</th><th scope="col" class="number"><t:fr>Requêtes</t:fr><t:en>Statements</t:en></th><th scope="col" class="number">Patients</th><th scope="col"><t:fr>Modifiée</t:fr><t:en>Written</t:en></th></tr></thead>
    <tbody><xsl:for-each select="tables/item"><tr><th scope="row"><xsl:value-of select="name"/></th><td class="number"><xsl:value-of select="statements"/></td><td class="number"><xsl:value-of select="patients"/></td>
      <td><xsl:choose><xsl:when test="written = 'true'"><t:fr>oui</t:fr><t:en>yes</t:en></xsl:when><xsl:otherwise><t:fr>non</t:fr><t:en>no</t:en></xsl:otherwise></xsl:choose></td></tr></xsl:for-each></tbody>
  </table>

  <h3><t:fr>Comptes</t:fr><t:en>Accounts</t:en></h3>
  <table>
    <thead><tr><th scope="col"><t:fr>Personne</t:fr><t:en>Person</t:en></th><th scope="col"><t:fr>Connexion</t:fr><t:en>Login</t:en></th><th scope="col" class="number"><t:fr>Requêtes</t:fr><t:en>Statements</t:en></th><th scope="col" class="number"><t:fr>Lignes</t:fr><t:en>Rows</t:en></th><th scope="col" class="number">Patients</th><th scope="col" class="number"><t:fr>Refusées</t:fr><t:en>Refused</t:en></th></tr></thead>
    <tbody><xsl:for-each select="persons/item"><tr><th scope="row"><xsl:value-of select="person"/></th><td><xsl:value-of select="login"/></td><td class="number"><xsl:value-of select="statements"/></td><td class="number"><xsl:value-of select="rows"/></td><td class="number"><xsl:value-of select="patients"/></td><td class="number"><xsl:value-of select="refused"/></td></tr></xsl:for-each></tbody>
  </table>

  <h2><t:fr>Éléments pour la notification à la CNIL</t:fr><t:en>For the notification to the CNIL</t:en></h2>
  <xsl:apply-templates select="organisation" mode="table"/>
  <table class="facts">
    <tbody>
    <tr><th scope="row"><t:fr>Nature de l’incident</t:fr><t:en>Nature of the incident</t:en></th><td><xsl:apply-templates select="nature" mode="value"/></td></tr>
    <tr><th scope="row"><t:fr>Origine</t:fr><t:en>Cause</t:en></th><td><xsl:apply-templates select="cause" mode="value"/></td></tr>
    <tr><th scope="row"><t:fr>Type de violation, d’après la trace</t:fr><t:en>Kind of breach, by the trail</t:en></th>
      <td>
        <xsl:choose><xsl:when test="counts/rows &gt; 0 or counts/patients &gt; 0"><t:fr>Perte de confidentialité (des données ont été lues). </t:fr><t:en>Confidentiality (data were read). </t:en></xsl:when><xsl:otherwise><t:fr>Aucune lecture établie. </t:fr><t:en>No reading is shown. </t:en></xsl:otherwise></xsl:choose>
        <xsl:choose><xsl:when test="counts/writes &gt; 0"><t:fr>Perte d’intégrité possible (requêtes d’écriture&#160;: <xsl:value-of select="counts/writes"/>). </t:fr><t:en>Integrity, perhaps (statements that wrote: <xsl:value-of select="counts/writes"/>). </t:en></xsl:when><xsl:otherwise><t:fr>Aucune écriture. </t:fr><t:en>Nothing was written. </t:en></xsl:otherwise></xsl:choose>
        <t:fr>La trace ne dit rien de la disponibilité.</t:fr><t:en>The trail says nothing of availability.</t:en>
      </td></tr>
    <tr><th scope="row"><t:fr>Début et fin</t:fr><t:en>Begin and end</t:en></th><td><xsl:choose><xsl:when test="first"><xsl:call-template name="moment"><xsl:with-param name="at" select="concat(substring(first, 1, 19), 'Z')"/></xsl:call-template> – <xsl:call-template name="moment"><xsl:with-param name="at" select="concat(substring(last, 1, 19), 'Z')"/></xsl:call-template></xsl:when><xsl:otherwise>–</xsl:otherwise></xsl:choose></td></tr>
    <tr><th scope="row"><t:fr>Catégories de personnes</t:fr><t:en>Categories of persons</t:en></th><td>patients</td></tr>
    <tr><th scope="row"><t:fr>Nombre de personnes</t:fr><t:en>Number of persons</t:en></th><td><xsl:if test="counts/at_least = 'true'"><t:fr>au moins </t:fr><t:en>at least </t:en></xsl:if><xsl:value-of select="counts/patients"/></td></tr>
    <tr><th scope="row"><t:fr>Nombre d’enregistrements</t:fr><t:en>Number of records</t:en></th><td><xsl:value-of select="counts/rows"/></td></tr>
    <tr><th scope="row"><t:fr>Catégories de données</t:fr><t:en>Categories of data</t:en></th><td><xsl:for-each select="categories/item"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:call-template name="category-title"/></xsl:for-each></td></tr>
    <tr><th scope="row"><t:fr>Conséquences probables</t:fr><t:en>Likely consequences</t:en></th><td><xsl:apply-templates select="consequences" mode="value"/></td></tr>
    <tr><th scope="row"><t:fr>Mesures prises</t:fr><t:en>Measures taken</t:en></th><td><xsl:apply-templates select="measures_taken" mode="value"/></td></tr>
    </tbody>
  </table>
  <h3><t:fr>Mesures de sécurité en place avant la violation, d’après la configuration actuelle</t:fr><t:en>Security measures before the breach, by the configuration as it is now</t:en></h3>
  <xsl:apply-templates select="security" mode="list"/>

  <h2><t:fr>Chronologie</t:fr><t:en>Timeline</t:en></h2>
  <table class="timeline">
    <thead><tr><th scope="col"><t:fr>De (UTC)</t:fr><t:en>From (UTC)</t:en></th><th scope="col"><t:fr>À</t:fr><t:en>To</t:en></th><th scope="col"><t:fr>Personne</t:fr><t:en>Person</t:en></th><th scope="col"><t:fr>Rôle, mission</t:fr><t:en>Role, mission</t:en></th><th scope="col"><t:fr>Adresse, application</t:fr><t:en>Address, application</t:en></th><th scope="col" class="number"><t:fr>Requêtes</t:fr><t:en>Statements</t:en></th><th scope="col" class="number"><t:fr>Lignes</t:fr><t:en>Rows</t:en></th><th scope="col" class="number"><t:fr>Refus</t:fr><t:en>Refused</t:en></th></tr></thead>
    <tbody>
    <xsl:for-each select="timeline/item">
      <tr><td><span class="whole"><xsl:value-of select="substring(first, 1, 10)"/></span><xsl:text> </xsl:text><span class="whole"><xsl:value-of select="substring(first, 12, 8)"/></span></td><td class="time"><xsl:value-of select="substring(last, 12, 8)"/></td>
        <td><xsl:value-of select="person"/><xsl:if test="login != person"><xsl:value-of select="concat(' (', login, ')')"/></xsl:if></td>
        <td><xsl:value-of select="role"/><xsl:if test="mission"><xsl:value-of select="concat(', ', mission)"/></xsl:if>
          <xsl:if test="glass"><strong><t:fr> – bris de glace</t:fr><t:en> – broken glass</t:en></strong></xsl:if>
          <xsl:if test="event"><strong><xsl:value-of select="concat(' – ', event)"/></strong></xsl:if></td>
        <td><xsl:value-of select="address"/><xsl:if test="application"><xsl:value-of select="concat(', ', application)"/></xsl:if></td>
        <td class="number"><xsl:value-of select="statements"/></td><td class="number"><xsl:value-of select="rows"/></td><td class="number"><xsl:value-of select="refused"/></td></tr>
    </xsl:for-each>
    </tbody>
  </table>
  <xsl:if test="timeline_left_out &gt; 0"><p class="alarm"><t:fr><xsl:value-of select="timeline_left_out"/> lignes de plus sont dans la forme JSON de ce document.</t:fr><t:en><xsl:value-of select="timeline_left_out"/> more lines are in this document’s JSON form.</t:en></p></xsl:if>
  <xsl:if test="timeline_cut &gt; 0"><p class="alarm"><t:fr>La chronologie s’arrête à 20 000 lignes&#160;; <xsl:value-of select="timeline_cut"/> requêtes ou événements de plus sont comptés et n’y figurent pas. Resserrez la période.</t:fr><t:en>The timeline ends with 20,000 lines; <xsl:value-of select="timeline_cut"/> more statements or events are counted and not in it. Narrow the period down.</t:en></p></xsl:if>
  <p class="note"><t:fr>L’intégrité de la trace se vérifie par «&#160;pgvigil audit verify&#160;». La lettre aux personnes (article&#160;34) et la liste des patients se font par «&#160;--form letter&#160;» et «&#160;--form list&#160;». Cette violation est à consigner au registre interne des violations, notifiée ou non (article&#160;33.5).</t:fr><t:en>“pgvigil audit verify” tells whether the trail is whole. The letter to the persons (article 34) and the list of patients are made by “--form letter” and “--form list”. The breach is to be documented internally, whether or not it is notified (article 33.5).</t:en></p>
</xsl:template>
</xsl:stylesheet>
