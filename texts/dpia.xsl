<?xml version="1.0" encoding="UTF-8"?>
<!-- dpia.xsl: answers for the CNIL's PIA tool, each by the number of its question, of `pgvigil dpia`. Only what files know: impacts, threats, sources,
     severity and likelihood, whether a purpose is legitimate and a period necessary are judged by people, and have no part here. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:pgvigil:text" exclude-result-prefixes="t">
<xsl:output method="xml" encoding="UTF-8" indent="no" omit-xml-declaration="yes"/>

<xsl:template match="/"><parts><xsl:apply-templates select="/document" mode="body"/></parts></xsl:template>

<xsl:template match="document" mode="body">
  <part id="111">
    <p><t:fr>Le traitement est la base des dossiers des patients de </t:fr><t:en>The processing is the database of the patients’ records of </t:en><xsl:apply-templates select="organisation/name" mode="value"/><xsl:if test="organisation/kind"> (<xsl:value-of select="organisation/kind"/>)</xsl:if>, <t:fr>consultée sous les missions suivantes&#160;:</t:fr><t:en>which is used under these missions:</t:en></p>
    <ul><xsl:for-each select="activities/item"><li><strong><xsl:apply-templates select="title" mode="value"/></strong><t:fr>&#160;: </t:fr><t:en>: </t:en><xsl:apply-templates select="description" mode="value"/></li></xsl:for-each></ul>
  </part>

  <part id="112">
    <ul>
      <li><strong><t:fr>Responsable du traitement&#160;: </t:fr><t:en>Controller: </t:en></strong><xsl:apply-templates select="organisation/name" mode="value"/>, <xsl:apply-templates select="organisation/address" mode="value"/> – <xsl:apply-templates select="organisation/controller/name" mode="value"/></li>
      <li><strong><t:fr>Hébergeur, sous-traitant&#160;: </t:fr><t:en>Host, as processor: </t:en></strong><xsl:apply-templates select="hosting/host" mode="value"/></li>
      <li><xsl:call-template name="officer-line"/></li>
    </ul>
  </part>

  <xsl:if test="not(hosting/certificate/@missing)">
    <part id="113"><p><t:fr>Certification d’hébergeur de données de santé (HDS)&#160;: certificat <xsl:value-of select="hosting/certificate"/>.</t:fr><t:en>Certification of hosts of health data (HDS): certificate <xsl:value-of select="hosting/certificate"/>.</t:en></p></part>
  </xsl:if>

  <part id="121">
    <ul><xsl:for-each select="categories/item"><li><strong><xsl:apply-templates select="title" mode="value"/></strong><xsl:if test="sensitive = 'true'"><t:fr> (données sensibles)</t:fr><t:en> (sensitive)</t:en></xsl:if></li></xsl:for-each></ul>
    <p><t:fr>Destinataires, par mission&#160;:</t:fr><t:en>Recipients, by mission:</t:en></p>
    <ul><xsl:for-each select="activities/item"><li><strong><xsl:apply-templates select="title" mode="value"/></strong><t:fr>&#160;: </t:fr><t:en>: </t:en>
      <xsl:for-each select="recipients/item"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:apply-templates select="title" mode="value"/><t:fr> (comptes&#160;: <xsl:value-of select="users"/>)</t:fr><t:en> (accounts: <xsl:value-of select="users"/>)</t:en></xsl:for-each></li></xsl:for-each></ul>
    <p><t:fr>Durée de conservation&#160;: </t:fr><t:en>Retention: </t:en><xsl:apply-templates select="retention" mode="value"/></p>
  </part>

  <part id="123">
    <p><t:fr>Bases PostgreSQL&#160;: <xsl:value-of select="databases"/>, atteintes à travers le serveur d’accès pgvigil&#8239;; journal des accès signé, en fichiers. Hébergement&#160;: </t:fr><t:en>PostgreSQL databases: <xsl:value-of select="databases"/>, reached through the access server pgvigil; a signed trail of access, in files. Hosted by </t:en><xsl:apply-templates select="hosting/host" mode="value"/>.</p>
  </part>

  <part id="211">
    <ul><xsl:for-each select="activities/item"><li><strong><xsl:apply-templates select="title" mode="value"/></strong><t:fr>&#160;: </t:fr><t:en>: </t:en><xsl:apply-templates select="description" mode="value"/></li></xsl:for-each></ul>
  </part>

  <part id="212">
    <ul><xsl:for-each select="activities/item"><li><strong><xsl:apply-templates select="title" mode="value"/></strong><t:fr>&#160;: </t:fr><t:en>: </t:en><xsl:call-template name="basis-line"/><xsl:if test="special_basis"><t:fr>&#8239;; </t:fr><t:en>; </t:en><xsl:call-template name="special-line"/></xsl:if></li></xsl:for-each></ul>
  </part>

  <part id="213">
    <p><t:fr>Chaque rôle ne voit, sous chaque mission, que les catégories suivantes&#160;:</t:fr><t:en>Each role sees, under each mission, these categories only:</t:en></p>
    <ul><xsl:for-each select="activities/item"><xsl:variable name="mission" select="title"/>
      <xsl:for-each select="recipients/item"><li><strong><xsl:apply-templates select="title" mode="value"/>, <xsl:apply-templates select="$mission" mode="value"/></strong><t:fr>&#160;: </t:fr><t:en>: </t:en>
        <xsl:choose><xsl:when test="unrestricted = 'true'"><t:fr>toutes, sans restriction</t:fr><t:en>all, without restriction</t:en></xsl:when><xsl:otherwise><xsl:for-each select="categories"><xsl:call-template name="category-list"/></xsl:for-each></xsl:otherwise></xsl:choose></li></xsl:for-each></xsl:for-each></ul>
  </part>

  <part id="215"><p><xsl:apply-templates select="retention" mode="value"/></p></part>

  <xsl:if test="rights/persons = 'true'">
    <part id="223"><p><t:fr>Les demandes se font auprès du responsable du traitement (<xsl:apply-templates select="organisation/name" mode="value"/>) et sont inscrites dans un registre, avec leur délai d’un mois. Pour y répondre, un outil réunit tout ce que la base contient sur la personne, avec la liste de ceux qui ont consulté son dossier, et lui remet ses données dans un format réutilisable (JSON).</t:fr><t:en>Requests go to the controller (<xsl:apply-templates select="organisation/name" mode="value"/>) and are kept in a register, with their term of one month. A tool answers them: it gathers everything that the database holds about the person, with the list of those who have looked at the file, and gives the data in a form that can be used elsewhere (JSON).</t:en></p></part>
  </xsl:if>

  <xsl:if test="rights/persons = 'true'">
    <part id="224"><p><t:fr>Une valeur inexacte est rectifiée par un outil qui montre l’avant et l’après, et l’inscrit au journal. Le dossier médical doit être conservé (article R1112-7 du code de la santé publique)&#160;: son effacement n’est possible qu’à l’expiration de ce délai.<xsl:if test="rights/erasable = 'true'"> Les données qui n’en relèvent pas sont effacées à la demande de la personne.</xsl:if> Un effacement exige deux personnes et laisse un certificat signé, sans le contenu.</t:fr><t:en>A wrong value is put right by a tool that shows before and after, and enters it in the trail. The medical file must be kept (article R1112-7 of the French public health code): it can be erased when that term has ended.<xsl:if test="rights/erasable = 'true'"> What does not belong to it is erased when the person asks.</xsl:if> An erasure takes two people and leaves a signed certificate, without the content.</t:en></p></part>
  </xsl:if>

  <xsl:if test="rights/held/item">
    <part id="225">
      <p><t:fr>La base applique elle-même les choix suivants, dès la requête qui suit leur inscription&#160;:</t:fr><t:en>The database itself applies these choices, from the first query after they are entered:</t:en></p>
      <ul><xsl:for-each select="rights/held/item"><li><strong><xsl:value-of select="name"/></strong><t:fr>&#160;: </t:fr><t:en>: </t:en>
        <xsl:choose>
          <xsl:when test="kind = 'objection'"><t:fr>opposition (article 21 du RGPD)</t:fr><t:en>objection (article 21 of the GDPR)</t:en></xsl:when>
          <xsl:when test="kind = 'restriction'"><t:fr>limitation du traitement (article 18 du RGPD)</t:fr><t:en>restriction of processing (article 18 of the GDPR)</t:en></xsl:when>
          <xsl:otherwise><t:fr>documents masqués à certaines personnes</t:fr><t:en>documents hidden from certain people</t:en></xsl:otherwise>
        </xsl:choose></li></xsl:for-each></ul>
    </part>
  </xsl:if>

  <part id="226">
    <p><xsl:apply-templates select="hosting/host" mode="value"/><t:fr>&#160;: </t:fr><t:en>: </t:en><xsl:apply-templates select="hosting/contract" mode="value"/>.</p>
  </part>

  <part id="227">
    <p><xsl:choose>
      <xsl:when test="hosting/in_eea = 'true'"><t:fr>L’hébergement (<xsl:value-of select="hosting/country"/>) n’entraîne aucun transfert hors de l’Espace économique européen.</t:fr><t:en>The hosting (<xsl:value-of select="hosting/country"/>) brings no transfer outside the European Economic Area.</t:en></xsl:when>
      <xsl:when test="hosting/in_eea = 'false'"><t:fr>Hébergement hors de l’Espace économique européen (<xsl:value-of select="hosting/country"/>)&#160;: <xsl:value-of select="hosting/outside_eea_reason"/>.</t:fr><t:en>Hosting outside the European Economic Area (<xsl:value-of select="hosting/country"/>): <xsl:value-of select="hosting/outside_eea_reason"/>.</t:en></xsl:when>
      <xsl:otherwise><xsl:apply-templates select="hosting/country" mode="value"/></xsl:otherwise>
    </xsl:choose></p>
  </part>

  <xsl:for-each select="security/measures/item">
    <part id="measure">
      <xsl:attribute name="title"><xsl:call-template name="measure-title"/></xsl:attribute>
      <p><xsl:apply-templates select="." mode="sentence"/></p>
    </part>
  </xsl:for-each>
</xsl:template>

<xsl:template name="measure-title">
  <xsl:choose>
    <xsl:when test="name = 'tls-clients'"><t:fr>Chiffrement des échanges avec les postes</t:fr><t:en>Encryption towards clients</t:en></xsl:when>
    <xsl:when test="name = 'tls-database'"><t:fr>Chiffrement des échanges avec la base</t:fr><t:en>Encryption towards the database</t:en></xsl:when>
    <xsl:when test="name = 'client-certificates'"><t:fr>Certificats des clients</t:fr><t:en>Clients’ certificates</t:en></xsl:when>
    <xsl:when test="name = 'accounts'"><t:fr>Comptes nominatifs</t:fr><t:en>Personal accounts</t:en></xsl:when>
    <xsl:when test="name = 'failed-logins'"><t:fr>Ralentissement après échecs</t:fr><t:en>Slower after failures</t:en></xsl:when>
    <xsl:when test="name = 'roles'"><t:fr>Contrôle d’accès par rôle et mission</t:fr><t:en>Access control by role and mission</t:en></xsl:when>
    <xsl:when test="name = 'views'"><t:fr>Contrôle d’accès par la base elle-même</t:fr><t:en>Access control by the database itself</t:en></xsl:when>
    <xsl:when test="name = 'rows'"><t:fr>Cloisonnement des dossiers</t:fr><t:en>Separation of files</t:en></xsl:when>
    <xsl:when test="name = 'pseudonyms'"><t:fr>Pseudonymisation</t:fr><t:en>Pseudonymisation</t:en></xsl:when>
    <xsl:when test="name = 'masks'"><t:fr>Réduction des valeurs montrées</t:fr><t:en>Reduced values</t:en></xsl:when>
    <xsl:when test="name = 'limits'"><t:fr>Limitation des volumes lus</t:fr><t:en>Limits on what is read</t:en></xsl:when>
    <xsl:when test="name = 'hours'"><t:fr>Limitation des heures et des lieux</t:fr><t:en>Limits on hours and places</t:en></xsl:when>
    <xsl:when test="name = 'aggregate'"><t:fr>Statistiques sans accès aux dossiers («&#160;<xsl:value-of select="mission"/>&#160;»)</t:fr><t:en>Statistics without access to records (“<xsl:value-of select="mission"/>”)</t:en></xsl:when>
    <xsl:when test="name = 'break-glass'"><t:fr>Bris de glace</t:fr><t:en>Breaking the glass</t:en></xsl:when>
    <xsl:when test="name = 'trail'"><t:fr>Traçabilité des accès</t:fr><t:en>Trail of access</t:en></xsl:when>
    <xsl:when test="name = 'trail-retention'"><t:fr>Conservation des traces</t:fr><t:en>Retention of the trail</t:en></xsl:when>
    <xsl:when test="name = 'ship'"><t:fr>Copie des traces hors du serveur</t:fr><t:en>Copy of the trail off the server</t:en></xsl:when>
    <xsl:when test="name = 'alert'"><t:fr>Alerte à chaque bris de glace</t:fr><t:en>Alert for each broken glass</t:en></xsl:when>
    <xsl:otherwise><xsl:value-of select="name"/></xsl:otherwise>
  </xsl:choose>
</xsl:template>
</xsl:stylesheet>
