<?xml version="1.0" encoding="UTF-8"?>
<!-- shared.xsl: what all documents have: the page and its look, dates, what is missing, the officer, legal bases, measures.
     Sentences stand in both languages side by side, t:fr and t:en; tools/doc_render.c keeps one of them. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:pgvigil:text" exclude-result-prefixes="t">

<xsl:template name="page">
  <xsl:param name="title"/>
  <xsl:param name="class"/>
  <html lang="{/document/language}">
    <head>
      <title><xsl:value-of select="$title"/></title>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <xsl:call-template name="style"/>
    </head>
    <body class="{$class}">
      <header>
        <p class="from"><xsl:apply-templates select="/document/organisation/name" mode="value"/></p>
        <h1><xsl:value-of select="$title"/></h1>
      </header>
      <main><xsl:apply-templates select="/document" mode="body"/></main>
      <footer>
        <p>
          <t:fr>Établi le </t:fr><t:en>Made on </t:en>
          <xsl:call-template name="date"><xsl:with-param name="day" select="/document/made_on"/></xsl:call-template>
          <t:fr> par <xsl:value-of select="/document/program"/>, d’après la génération <xsl:value-of select="/document/generation"/> de la politique d’accès. </t:fr>
          <t:en> by <xsl:value-of select="/document/program"/>, from generation <xsl:value-of select="/document/generation"/> of the access policy. </t:en>
          <xsl:call-template name="officer-line"/>
        </p>
      </footer>
    </body>
  </html>
</xsl:template>

<!-- A value, or its place. -->
<xsl:template match="*" mode="value">
  <xsl:choose>
    <xsl:when test="@missing"><strong class="missing"><t:fr>À COMPLÉTER</t:fr><t:en>TO BE COMPLETED</t:en><span class="key"><xsl:value-of select="concat(' (', @missing, ')')"/></span></strong></xsl:when>
    <xsl:otherwise><xsl:value-of select="."/></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<xsl:template name="date">
  <xsl:param name="day"/>
  <xsl:variable name="month" select="number(substring($day, 6, 2))"/>
  <time datetime="{$day}">
    <t:fr>
      <xsl:value-of select="number(substring($day, 9, 2))"/><xsl:if test="substring($day, 9, 2) = '01'">er</xsl:if>
      <xsl:value-of select="concat('&#160;', normalize-space(substring('janvier   février   mars      avril     mai       juin      juillet   août      septembre octobre   novembre  décembre  ', ($month - 1) * 10 + 1, 10)), '&#160;', substring($day, 1, 4))"/>
    </t:fr>
    <t:en>
      <xsl:value-of select="concat(number(substring($day, 9, 2)), '&#160;', normalize-space(substring('January   February  March     April     May       June      July      August    September October   November  December  ', ($month - 1) * 10 + 1, 10)), '&#160;', substring($day, 1, 4))"/>
    </t:en>
  </time>
</xsl:template>

<!-- ISO, with its offset: the day in words, the time, the zone. -->
<xsl:template name="moment">
  <xsl:param name="at"/>
  <xsl:call-template name="date"><xsl:with-param name="day" select="substring($at, 1, 10)"/></xsl:call-template>
  <t:fr> à <xsl:value-of select="concat(substring($at, 12, 2), '&#160;h&#160;', substring($at, 15, 2))"/></t:fr>
  <t:en>, <xsl:value-of select="substring($at, 12, 5)"/></t:en>
  <xsl:choose>
    <xsl:when test="substring($at, string-length($at)) = 'Z'"> (UTC)</xsl:when>
    <xsl:otherwise><xsl:value-of select="concat(' (UTC', substring($at, 20), ')')"/></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<!-- ==== the organisation ==== -->

<xsl:template name="officer-line">
  <xsl:for-each select="/document/organisation/dpo">
    <xsl:choose>
      <xsl:when test="not_designated"><t:fr>Aucun délégué à la protection des données n’est désigné&#160;: <xsl:value-of select="not_designated"/>.</t:fr><t:en>No data protection officer is designated: <xsl:value-of select="not_designated"/>.</t:en></xsl:when>
      <xsl:otherwise>
        <t:fr>Délégué à la protection des données (DPO)&#160;: </t:fr><t:en>Data protection officer (DPO): </t:en>
        <xsl:call-template name="officer"/>.
      </xsl:otherwise>
    </xsl:choose>
  </xsl:for-each>
</xsl:template>

<!-- Within dpo. -->
<xsl:template name="officer">
  <xsl:apply-templates select="name" mode="value"/>
  <xsl:if test="organisation">, <xsl:value-of select="organisation"/></xsl:if>
  <xsl:if test="external = 'true'"><t:fr> (externe)</t:fr><t:en> (external)</t:en></xsl:if>
  <xsl:if test="email">, <xsl:apply-templates select="email" mode="value"/></xsl:if>
  <xsl:if test="phone">, <xsl:value-of select="translate(phone, ' ', '&#160;')"/></xsl:if>
</xsl:template>

<xsl:template match="organisation" mode="table">
  <table class="facts">
    <tbody>
    <tr><th scope="row"><t:fr>Structure</t:fr><t:en>Organisation</t:en></th>
      <td><xsl:apply-templates select="name" mode="value"/><xsl:if test="kind"><xsl:value-of select="concat(' – ', kind)"/></xsl:if></td></tr>
    <tr><th scope="row"><t:fr>Adresse</t:fr><t:en>Address</t:en></th><td><xsl:apply-templates select="address" mode="value"/></td></tr>
    <xsl:if test="siret"><tr><th scope="row">SIRET</th><td><xsl:value-of select="siret"/></td></tr></xsl:if>
    <xsl:if test="finess"><tr><th scope="row">FINESS</th><td><xsl:value-of select="finess"/></td></tr></xsl:if>
    <xsl:if test="phone"><tr><th scope="row"><t:fr>Téléphone</t:fr><t:en>Telephone</t:en></th><td><xsl:value-of select="phone"/></td></tr></xsl:if>
    <xsl:if test="email"><tr><th scope="row"><t:fr>Courriel</t:fr><t:en>E-mail</t:en></th><td><xsl:apply-templates select="email" mode="value"/></td></tr></xsl:if>
    <tr><th scope="row"><t:fr>Responsable du traitement</t:fr><t:en>Controller</t:en></th>
      <td><xsl:apply-templates select="controller/name" mode="value"/><xsl:if test="controller/role">, <xsl:value-of select="controller/role"/></xsl:if><xsl:if test="controller/email">, <xsl:value-of select="controller/email"/></xsl:if></td></tr>
    <tr><th scope="row"><t:fr>Délégué à la protection des données</t:fr><t:en>Data protection officer</t:en></th>
      <td>
        <xsl:for-each select="dpo">
          <xsl:choose>
            <xsl:when test="not_designated"><t:fr>Non désigné&#160;: <xsl:value-of select="not_designated"/></t:fr><t:en>Not designated: <xsl:value-of select="not_designated"/></t:en></xsl:when>
            <xsl:otherwise><xsl:call-template name="officer"/></xsl:otherwise>
          </xsl:choose>
        </xsl:for-each>
      </td></tr>
    </tbody>
  </table>
</xsl:template>

<xsl:template match="hosting" mode="table">
  <table class="facts">
    <tbody>
    <tr><th scope="row"><t:fr>Hébergeur</t:fr><t:en>Host</t:en></th><td><xsl:apply-templates select="host" mode="value"/></td></tr>
    <tr><th scope="row"><t:fr>Certificat HDS</t:fr><t:en>HDS certificate</t:en></th><td><xsl:apply-templates select="certificate" mode="value"/></td></tr>
    <tr><th scope="row"><t:fr>Activités certifiées</t:fr><t:en>Certified activities</t:en></th>
      <td><xsl:choose><xsl:when test="scope/@missing"><xsl:apply-templates select="scope" mode="value"/></xsl:when>
        <xsl:otherwise><xsl:for-each select="scope/item"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="."/></xsl:for-each></xsl:otherwise></xsl:choose></td></tr>
    <tr><th scope="row"><t:fr>Échéance du certificat</t:fr><t:en>Certificate expires</t:en></th>
      <td><xsl:choose><xsl:when test="expires/@missing"><xsl:apply-templates select="expires" mode="value"/></xsl:when>
        <xsl:otherwise><xsl:call-template name="date"><xsl:with-param name="day" select="expires"/></xsl:call-template></xsl:otherwise></xsl:choose>
        <xsl:if test="expired = 'true'"><strong class="alarm"><t:fr> – EXPIRÉ</t:fr><t:en> – EXPIRED</t:en></strong></xsl:if></td></tr>
    <tr><th scope="row"><t:fr>Pays</t:fr><t:en>Country</t:en></th><td><xsl:apply-templates select="country" mode="value"/></td></tr>
    <tr><th scope="row"><t:fr>Contrat de sous-traitance</t:fr><t:en>Processor contract</t:en></th><td><xsl:apply-templates select="contract" mode="value"/></td></tr>
    <tr><th scope="row"><t:fr>Transfert hors de l’EEE</t:fr><t:en>Transfer outside the EEA</t:en></th>
      <td>
        <xsl:choose>
          <xsl:when test="in_eea = 'true'"><t:fr>Aucun du fait de l’hébergement.</t:fr><t:en>None by the hosting.</t:en></xsl:when>
          <xsl:when test="in_eea = 'false'"><t:fr>Oui&#160;: <xsl:value-of select="outside_eea_reason"/></t:fr><t:en>Yes: <xsl:value-of select="outside_eea_reason"/></t:en></xsl:when>
          <xsl:otherwise><xsl:apply-templates select="country" mode="value"/></xsl:otherwise>
        </xsl:choose>
      </td></tr>
    </tbody>
  </table>
</xsl:template>

<!-- How long records are kept, as the policy has it. -->
<xsl:template match="retention[not(@missing)]" mode="value">
  <t:fr>dossiers actifs <xsl:value-of select="active_years"/> ans après la dernière consultation, puis archivés <xsl:value-of select="archive_years"/> ans, puis détruits</t:fr>
  <t:en>records are active for <xsl:value-of select="active_years"/> years after the last consultation, then archived for <xsl:value-of select="archive_years"/> years, then destroyed</t:en>
  <xsl:if test="minor_years"><t:fr>&#8239;; pour les mineurs, au moins jusqu’au <xsl:value-of select="minor_years"/><sup>e</sup> anniversaire</t:fr><t:en>; those of minors at least until the age of <xsl:value-of select="minor_years"/></t:en></xsl:if>
  <xsl:if test="death_years"><t:fr>&#8239;; en cas de décès moins de <xsl:value-of select="death_years"/> ans après la dernière consultation, <xsl:value-of select="death_years"/> ans après le décès</t:fr><t:en>; after a death less than <xsl:value-of select="death_years"/> years after the last consultation, for <xsl:value-of select="death_years"/> years</t:en></xsl:if>
  <xsl:if test="holds = 'true'"><t:fr>&#8239;; une procédure en cours suspend ces délais</t:fr><t:en>; legal proceedings suspend these periods</t:en></xsl:if>
</xsl:template>

<xsl:template name="contact">
  <xsl:for-each select="/document/organisation/contact">
    <t:fr>Pour toute question&#160;: </t:fr><t:en>For any question: </t:en>
    <xsl:choose>
      <xsl:when test="email/@missing"><xsl:apply-templates select="email" mode="value"/></xsl:when>
      <xsl:otherwise>
        <xsl:value-of select="email"/><xsl:if test="email and phone">, </xsl:if><xsl:value-of select="translate(phone, ' ', '&#160;')"/><xsl:if test="(email or phone) and address">, </xsl:if><xsl:value-of select="address"/>.
      </xsl:otherwise>
    </xsl:choose>
  </xsl:for-each>
</xsl:template>

<!-- Within the document: what data are for, by which law, and who sees which. -->
<xsl:template name="purposes">
  <xsl:for-each select="activities/item">
    <h3><xsl:apply-templates select="title" mode="value"/></h3>
    <p><xsl:apply-templates select="description" mode="value"/></p>
    <ul>
      <li><t:fr>Base légale&#160;: </t:fr><t:en>Legal basis: </t:en><xsl:apply-templates select="legal_basis" mode="words"/><xsl:if test="special_basis"><t:fr>&#8239;; pour les données de santé, </t:fr><t:en>; for health data, </t:en><xsl:apply-templates select="special_basis" mode="words"/></xsl:if>.</li>
      <xsl:for-each select="recipients/item">
        <li><strong><xsl:apply-templates select="title" mode="value"/></strong><t:fr>&#160;: </t:fr><t:en>: </t:en>
          <xsl:choose>
            <xsl:when test="unrestricted = 'true'"><t:fr>toutes les données, pour exploiter le système&#8239;; chaque accès est enregistré</t:fr><t:en>all data, to run the system; each access is recorded</t:en></xsl:when>
            <xsl:otherwise><xsl:for-each select="categories"><xsl:call-template name="category-list"/></xsl:for-each></xsl:otherwise>
          </xsl:choose>.</li>
      </xsl:for-each>
    </ul>
  </xsl:for-each>
</xsl:template>

<!-- Within a category. -->
<xsl:template name="category-title">
  <xsl:choose>
    <xsl:when test="unclassified = 'true'"><t:fr>autres données, sans catégorie dans la politique</t:fr><t:en>other data, in no category of the policy</t:en></xsl:when>
    <xsl:otherwise><xsl:apply-templates select="title" mode="value"/></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<!-- ==== law ==== -->

<xsl:template match="legal_basis" mode="words">
  <xsl:choose>
    <xsl:when test="@missing"><xsl:apply-templates select="." mode="value"/></xsl:when>
    <xsl:when test=". = '6.1.a'"><t:fr>le consentement de la personne</t:fr><t:en>the person’s consent</t:en></xsl:when>
    <xsl:when test=". = '6.1.b'"><t:fr>l’exécution d’un contrat</t:fr><t:en>performance of a contract</t:en></xsl:when>
    <xsl:when test=". = '6.1.c'"><t:fr>une obligation légale</t:fr><t:en>a legal obligation</t:en></xsl:when>
    <xsl:when test=". = '6.1.d'"><t:fr>la sauvegarde d’intérêts vitaux</t:fr><t:en>the protection of vital interests</t:en></xsl:when>
    <xsl:when test=". = '6.1.e'"><t:fr>une mission d’intérêt public</t:fr><t:en>a task in the public interest</t:en></xsl:when>
    <xsl:otherwise><t:fr>un intérêt légitime</t:fr><t:en>a legitimate interest</t:en></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<xsl:template match="special_basis" mode="words">
  <xsl:choose>
    <xsl:when test="@missing"><xsl:apply-templates select="." mode="value"/></xsl:when>
    <xsl:when test=". = '9.2.a'"><t:fr>le consentement explicite de la personne</t:fr><t:en>the person’s explicit consent</t:en></xsl:when>
    <xsl:when test=". = '9.2.b'"><t:fr>le droit du travail et la protection sociale</t:fr><t:en>employment and social security law</t:en></xsl:when>
    <xsl:when test=". = '9.2.c'"><t:fr>la sauvegarde d’intérêts vitaux</t:fr><t:en>the protection of vital interests</t:en></xsl:when>
    <xsl:when test=". = '9.2.d'"><t:fr>l’activité d’un organisme à but non lucratif</t:fr><t:en>the activity of a not-for-profit body</t:en></xsl:when>
    <xsl:when test=". = '9.2.e'"><t:fr>des données rendues publiques par la personne</t:fr><t:en>data made public by the person</t:en></xsl:when>
    <xsl:when test=". = '9.2.f'"><t:fr>la constatation ou la défense d’un droit en justice</t:fr><t:en>legal claims</t:en></xsl:when>
    <xsl:when test=". = '9.2.g'"><t:fr>un intérêt public important</t:fr><t:en>a substantial public interest</t:en></xsl:when>
    <xsl:when test=". = '9.2.h'"><t:fr>les diagnostics, la prise en charge et la gestion des services de santé, sous le secret professionnel</t:fr><t:en>diagnosis, care and the management of health services, under professional secrecy</t:en></xsl:when>
    <xsl:when test=". = '9.2.i'"><t:fr>la santé publique</t:fr><t:en>public health</t:en></xsl:when>
    <xsl:otherwise><t:fr>la recherche scientifique ou les statistiques</t:fr><t:en>scientific research or statistics</t:en></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<xsl:template name="basis-line">
  <xsl:if test="not(legal_basis/@missing)"><t:fr>Article&#160;</t:fr><t:en>Article </t:en><xsl:value-of select="legal_basis"/><t:fr>&#160;: </t:fr><t:en>: </t:en></xsl:if>
  <xsl:apply-templates select="legal_basis" mode="words"/>
</xsl:template>

<xsl:template name="special-line">
  <xsl:if test="not(special_basis/@missing)"><t:fr>Article&#160;</t:fr><t:en>Article </t:en><xsl:value-of select="special_basis"/><t:fr>&#160;: </t:fr><t:en>: </t:en></xsl:if>
  <xsl:apply-templates select="special_basis" mode="words"/>
</xsl:template>

<!-- "données de santé, coordonnées (masquées)": within a list of categories. -->
<xsl:template name="category-list">
  <xsl:for-each select="item">
    <xsl:if test="position() &gt; 1">, </xsl:if>
    <xsl:apply-templates select="title" mode="value"/>
    <xsl:if test="masked_only = 'true'"><t:fr> (masquées)</t:fr><t:en> (masked)</t:en></xsl:if>
  </xsl:for-each>
  <xsl:if test="not(item)"><t:fr>aucune</t:fr><t:en>none</t:en></xsl:if>
</xsl:template>

<xsl:template name="persons">
  <xsl:param name="categories"/>
  <xsl:variable name="patients" select="$categories/item/persons/item = 'patients'"/>
  <xsl:variable name="staff" select="$categories/item/persons/item = 'staff'"/>
  <xsl:if test="$patients">patients</xsl:if>
  <xsl:if test="$patients and $staff">, </xsl:if>
  <xsl:if test="$staff"><t:fr>professionnels de la structure</t:fr><t:en>the organisation’s professionals</t:en></xsl:if>
  <xsl:if test="not($patients or $staff)"><t:fr>aucune personne</t:fr><t:en>nobody</t:en></xsl:if>
</xsl:template>

<xsl:template name="rights">
  <p><t:fr>Vous pouvez&#160;:</t:fr><t:en>You have the right:</t:en></p>
  <ul>
    <li><t:fr>accéder à votre dossier et en obtenir une copie</t:fr><t:en>to see your file and have a copy of it</t:en></li>
    <li><t:fr>savoir qui l’a consulté</t:fr><t:en>to know who has looked at it</t:en></li>
    <li><t:fr>faire corriger ce qui est inexact</t:fr><t:en>to have what is wrong corrected</t:en></li>
    <li><t:fr>faire effacer ce que la loi n’oblige pas à conserver</t:fr><t:en>to have erased what the law does not oblige us to keep</t:en></li>
    <li><t:fr>demander la limitation du traitement</t:fr><t:en>to have the processing restricted</t:en></li>
    <xsl:if test="/document/rights/objection = 'true'"><li><t:fr>vous opposer au traitement, pour des raisons tenant à votre situation</t:fr><t:en>to object to the processing, on grounds of your situation</t:en></li></xsl:if>
    <xsl:if test="/document/rights/portability = 'true'"><li><t:fr>recevoir vos données dans un format réutilisable</t:fr><t:en>to receive your data in a form that can be used again</t:en></li></xsl:if>
    <xsl:if test="/document/rights/withdrawal = 'true'"><li><t:fr>retirer à tout moment un consentement que vous avez donné</t:fr><t:en>to withdraw at any time a consent that you have given</t:en></li></xsl:if>
  </ul>
</xsl:template>

<xsl:template name="complaint">
  <t:fr>Vous pouvez adresser une réclamation à la CNIL, 3&#160;place de Fontenoy, TSA&#160;80715, 75334&#160;Paris Cedex&#160;07, <a href="https://www.cnil.fr/fr/plaintes">www.cnil.fr</a>.</t:fr>
  <t:en>You can complain to the CNIL, 3 place de Fontenoy, TSA 80715, 75334 Paris Cedex 07, <a href="https://www.cnil.fr/fr/plaintes">www.cnil.fr</a>.</t:en>
</xsl:template>

<xsl:template name="hosting-line">
  <xsl:for-each select="/document/hosting">
    <t:fr>Hébergement&#160;: </t:fr><t:en>Hosted by </t:en><xsl:apply-templates select="host" mode="value"/>
    <t:fr> (certifié hébergeur de données de santé, n°&#160;</t:fr><t:en> (certified host of health data, no. </t:en><span class="whole"><xsl:apply-templates select="certificate" mode="value"/></span>)<xsl:choose>
      <xsl:when test="in_eea = 'true'"><t:fr>, sans transfert hors de l’Espace économique européen.</t:fr><t:en>, without a transfer outside the European Economic Area.</t:en></xsl:when>
      <xsl:when test="in_eea = 'false'"><t:fr>, hors de l’Espace économique européen (<xsl:value-of select="country"/>)&#160;: <xsl:value-of select="outside_eea_reason"/>.</t:fr><t:en>, outside the European Economic Area (<xsl:value-of select="country"/>): <xsl:value-of select="outside_eea_reason"/>.</t:en></xsl:when>
      <xsl:otherwise>, <xsl:apply-templates select="country" mode="value"/>.</xsl:otherwise>
    </xsl:choose>
  </xsl:for-each>
</xsl:template>

<!-- ==== measures ==== -->

<xsl:template match="measures/item" mode="sentence">
  <xsl:choose>
    <xsl:when test="name = 'tls-clients'"><t:fr>Les échanges entre les postes et le serveur d’accès sont chiffrés (TLS 1.2 au moins)&#160;; une connexion en clair est refusée.</t:fr><t:en>What passes between clients and the access server is encrypted (TLS 1.2 or later); a connection in clear is refused.</t:en></xsl:when>
    <xsl:when test="name = 'tls-database'"><t:fr>Les échanges avec la base sont chiffrés et l’identité du serveur est vérifiée.</t:fr><t:en>What passes to and from the database is encrypted, and the server’s identity is verified.</t:en></xsl:when>
    <xsl:when test="name = 'client-certificates'"><t:fr>Les certificats des clients sont vérifiés auprès d’une autorité désignée.</t:fr><t:en>Clients’ certificates are verified against a chosen authority.</t:en></xsl:when>
    <xsl:when test="name = 'accounts'">
      <t:fr>Chaque personne a son compte&#160;: <xsl:value-of select="password"/> par mot de passe (SCRAM-SHA-256), <xsl:value-of select="certificate"/> par certificat, <xsl:value-of select="both"/> par les deux, <xsl:value-of select="acted_for"/> sans connexion directe. Comptes d’applications agissant pour des personnes nommées&#160;: <xsl:value-of select="shared"/>.</t:fr>
      <t:en>Each person has an account: <xsl:value-of select="password"/> by password (SCRAM-SHA-256), <xsl:value-of select="certificate"/> by certificate, <xsl:value-of select="both"/> by both, <xsl:value-of select="acted_for"/> without a login. Accounts of applications that act for named persons: <xsl:value-of select="shared"/>.</t:en>
    </xsl:when>
    <xsl:when test="name = 'failed-logins'"><t:fr>Après <xsl:value-of select="count"/> échecs d’une même adresse, les réponses sont ralenties.</t:fr><t:en>After <xsl:value-of select="count"/> failures from one address, answers slow down.</t:en></xsl:when>
    <xsl:when test="name = 'roles'"><t:fr>Les accès dépendent du rôle de la personne et de la mission déclarée&#160;: <xsl:value-of select="roles"/> rôles, <xsl:value-of select="missions"/> missions, <xsl:value-of select="rules"/> règles&#160;; ce qu’aucune règle ne mentionne est refusé.</t:fr><t:en>Access depends on the person’s role and the mission that is declared: <xsl:value-of select="roles"/> roles, <xsl:value-of select="missions"/> missions, <xsl:value-of select="rules"/> rules; what no rule mentions is refused.</t:en></xsl:when>
    <xsl:when test="name = 'views'"><t:fr>La base elle-même applique ces règles&#160;: le compte d’accès n’a aucun droit sur les tables.</t:fr><t:en>The database itself enforces these rules: the access login has no rights on the tables.</t:en></xsl:when>
    <xsl:when test="name = 'rows'"><t:fr>Des règles limitent les dossiers visibles à ceux que la personne prend en charge.</t:fr><t:en>Rules limit the records that are seen to those of the person’s own patients.</t:en></xsl:when>
    <xsl:when test="name = 'pseudonyms'"><t:fr>Des identifiants sont remplacés par des pseudonymes à clé.</t:fr><t:en>Identifiers are replaced by keyed pseudonyms.</t:en></xsl:when>
    <xsl:when test="name = 'masks'"><t:fr>Des valeurs sont réduites avant d’être montrées (année de naissance, département…).</t:fr><t:en>Values are reduced before they are shown (year of birth, region...).</t:en></xsl:when>
    <xsl:when test="name = 'limits'"><t:fr>Le nombre de lignes lues est limité pour certaines missions.</t:fr><t:en>How many rows are read is limited for some missions.</t:en></xsl:when>
    <xsl:when test="name = 'hours'"><t:fr>Certaines missions ne sont ouvertes qu’à certaines heures ou depuis certaines adresses.</t:fr><t:en>Some missions are open at some hours, or from some addresses, only.</t:en></xsl:when>
    <xsl:when test="name = 'aggregate'"><t:fr>La mission «&#160;<xsl:value-of select="mission"/>&#160;» ne donne que des chiffres portant sur des groupes d’au moins <xsl:value-of select="k"/> patients, et aucun dossier&#160;; <xsl:value-of select="statements_per_day"/> questions au plus par personne et par jour.</t:fr><t:en>The mission “<xsl:value-of select="mission"/>” gives numbers about groups of at least <xsl:value-of select="k"/> patients only, and no record; <xsl:value-of select="statements_per_day"/> questions at most of one person in a day.</t:en></xsl:when>
    <xsl:when test="name = 'break-glass'"><t:fr>Bris de glace (mission «&#160;<xsl:value-of select="mission"/>&#160;»)&#160;: motif écrit d’au moins <xsl:value-of select="reason_min"/> caractères, <xsl:value-of select="minutes"/> minutes au plus, tracé à part.</t:fr><t:en>Breaking the glass (mission “<xsl:value-of select="mission"/>”): a written reason of at least <xsl:value-of select="reason_min"/> characters, <xsl:value-of select="minutes"/> minutes at most, marked in the trail.</t:en></xsl:when>
    <xsl:when test="name = 'trail'">
      <t:fr>Chaque accès est tracé avant que la réponse ne parte&#160;: personne, rôle, mission, tables, colonnes et patients. Les traces sont chaînées et signées (Ed25519) au moins toutes les <xsl:value-of select="checkpoint_seconds"/> secondes<xsl:if test="synced = 'true'">, et sont sur le disque avant la réponse</xsl:if>.</t:fr>
      <t:en>Each access is on record before its answer leaves: person, role, mission, tables, columns and patients. Records are chained, and signed (Ed25519) at least every <xsl:value-of select="checkpoint_seconds"/> seconds<xsl:if test="synced = 'true'">, and are on the disk before the answer leaves</xsl:if>.</t:en>
    </xsl:when>
    <xsl:when test="name = 'trail-retention'">
      <t:fr>Les traces techniques sont conservées <xsl:value-of select="technical_days"/> jours<xsl:if test="care_years &gt; 0">, celles des accès aux dossiers <xsl:value-of select="care_years"/> ans</xsl:if>.<xsl:if test="justification"> Motif&#160;: <xsl:value-of select="justification"/></xsl:if></t:fr>
      <t:en>Technical records are kept for <xsl:value-of select="technical_days"/> days<xsl:if test="care_years &gt; 0">, those of access to files for <xsl:value-of select="care_years"/> years</xsl:if>.<xsl:if test="justification"> Reason: <xsl:value-of select="justification"/></xsl:if></t:en>
    </xsl:when>
    <xsl:when test="name = 'ship'"><t:fr>Les traces sont aussi envoyées hors du serveur (destinations&#160;: <xsl:value-of select="count"/>).</t:fr><t:en>Records are also sent off the server (destinations: <xsl:value-of select="count"/>).</t:en></xsl:when>
    <xsl:when test="name = 'alert'"><t:fr>Un responsable est averti de chaque bris de glace.</t:fr><t:en>Somebody is told of each broken glass.</t:en></xsl:when>
    <xsl:otherwise><xsl:value-of select="name"/></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<xsl:template match="weaknesses/item" mode="sentence">
  <xsl:choose>
    <xsl:when test="name = 'plaintext'"><t:fr>Des connexions en clair sont admises (listen.plaintext).</t:fr><t:en>Connections in clear are let in (listen.plaintext).</t:en></xsl:when>
    <xsl:when test="name = 'database-unverified'"><t:fr>L’identité du serveur de base de données n’est pas vérifiée (sslmode=verify-full).</t:fr><t:en>The database server’s identity is not verified (sslmode=verify-full).</t:en></xsl:when>
    <xsl:when test="name = 'observe'"><t:fr>Une base est en mode d’observation&#160;: RIEN N’Y EST APPLIQUÉ.</t:fr><t:en>A database is in observe mode: NOTHING IS ENFORCED there.</t:en></xsl:when>
    <xsl:otherwise><xsl:value-of select="name"/></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<xsl:template match="security" mode="list">
  <ul><xsl:for-each select="measures/item"><li><xsl:apply-templates select="." mode="sentence"/></li></xsl:for-each></ul>
  <xsl:if test="weaknesses/item">
    <p class="alarm"><t:fr>Points faibles de la configuration&#160;:</t:fr><t:en>Weak points of the configuration:</t:en></p>
    <ul class="alarm"><xsl:for-each select="weaknesses/item"><li><xsl:apply-templates select="." mode="sentence"/></li></xsl:for-each></ul>
  </xsl:if>
</xsl:template>

<!-- ==== the look ==== -->

<xsl:template name="style">
<style>
@page { size: A4; margin: 18mm 17mm 20mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt "Liberation Sans", Arial, "DejaVu Sans", sans-serif; color: #444; } }
* { box-sizing: border-box; }
html { font: 10pt/1.45 "Liberation Sans", Arial, "Helvetica Neue", "DejaVu Sans", sans-serif; color: #1a1a1a; background: #fff; }
body { max-width: 176mm; margin: 0 auto; padding: 6mm; hyphens: manual; }
header { border-bottom: 1.2pt solid #1b4a6b; margin-bottom: 5mm; }
header .from { margin: 0; font-weight: bold; color: #1b4a6b; }
h1 { font-size: 19pt; line-height: 1.2; margin: 1mm 0 3mm; color: #1b4a6b; }
h2 { font-size: 13pt; margin: 7mm 0 2mm; color: #1b4a6b; break-after: avoid; }
h3 { font-size: 11pt; margin: 5mm 0 1.5mm; break-after: avoid; }
p { margin: 0 0 2mm; }
ul, ol { margin: 0 0 2mm; padding-left: 5mm; }
li { margin-bottom: .8mm; }
a { color: #1b4a6b; }
table { border-collapse: collapse; width: calc(100% - 1pt); margin: 1mm 0 4mm; font-size: 9.2pt; }
th, td { border: .5pt solid #9aa7b0; padding: 1mm 1.6mm; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
thead { display: table-header-group; }
thead th { background: #e6eef3; overflow-wrap: normal; }
td.time { white-space: nowrap; overflow-wrap: normal; }
tr { break-inside: avoid; }
table.facts th { width: 32%; background: #f2f5f7; font-weight: bold; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.missing { background: #fff3b0; border: 1pt dashed #8a5a00; padding: .5mm .8mm 0; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
.missing .key { font-weight: normal; font-size: 85%; }
.alarm { color: #9b1c1c; font-weight: bold; }
ul.alarm li { font-weight: normal; }
.whole { white-space: nowrap; }
.note { color: #444; font-size: 9pt; }
.box { border: 1pt solid #1b4a6b; border-radius: 1.5mm; padding: 3mm 4mm; margin: 0 0 4mm; break-inside: avoid; }
.box h2:first-child { margin-top: 0; }
.break { break-before: page; }
footer { border-top: .5pt solid #9aa7b0; margin-top: 7mm; padding-top: 2mm; font-size: 8.3pt; color: #333; break-inside: avoid; }
.sign td { height: 16mm; }
.sign th:nth-child(3) { width: 18%; } .sign th:nth-child(4) { width: 30%; }
body.review table { font-size: 8.6pt; } body.review td, body.review th { overflow-wrap: break-word; } body.subject td { overflow-wrap: break-word; }
table.timeline { font-size: 8.2pt; } table.timeline td:nth-child(4) { min-width: 27mm; } table.timeline td:nth-child(5) { min-width: 24mm; }
@media print { body { padding: 0; max-width: none; } a { color: inherit; } }
body.poster { font-size: 10.8pt; line-height: 1.38; }
body.poster h1 { font-size: 22pt; text-align: center; margin: 1mm 0 3mm; }
body.poster header .from { text-align: center; font-size: 14pt; }
body.poster h2 { font-size: 13pt; margin: 0 0 1mm; }
body.poster .columns { columns: 2; column-gap: 8mm; }
body.poster .columns section { break-inside: avoid; margin-bottom: 4mm; }
body.poster footer { margin-top: 3mm; }
</style>
</xsl:template>
</xsl:stylesheet>
