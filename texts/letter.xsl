<?xml version="1.0" encoding="UTF-8"?>
<!-- letter.xsl: what the persons are told of a breach (GDPR, article 34), one letter for all: `pgvigil incident, form letter`. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:pgvigil:text" exclude-result-prefixes="t">
<xsl:output method="html" encoding="UTF-8" indent="no"/>

<xsl:template match="/">
  <xsl:call-template name="page">
    <xsl:with-param name="title"><t:fr>Information sur vos données personnelles</t:fr><t:en>About your personal data</t:en></xsl:with-param>
    <xsl:with-param name="class">letter</xsl:with-param>
  </xsl:call-template>
</xsl:template>

<xsl:template match="document" mode="body">
  <p><xsl:apply-templates select="organisation/address" mode="value"/></p>
  <p><t:fr>Le </t:fr><t:en/><xsl:call-template name="date"><xsl:with-param name="day" select="made_on"/></xsl:call-template></p>
  <p><t:fr>Madame, Monsieur,</t:fr><t:en>Dear patient,</t:en></p>
  <p><t:fr>Nous vous informons qu’une violation de données personnelles a concerné votre dossier, conformément à l’article&#160;34 du règlement général sur la protection des données.</t:fr><t:en>Under article 34 of the General Data Protection Regulation we inform you that a personal data breach has concerned your file.</t:en></p>
  <h2><t:fr>Ce qui s’est passé</t:fr><t:en>What happened</t:en></h2>
  <p><xsl:apply-templates select="nature" mode="value"/></p>
  <xsl:if test="first">
    <p>
      <t:fr>Les accès que nous avons relevés ont eu lieu </t:fr><t:en>The accesses that we have found took place </t:en>
      <xsl:choose>
        <xsl:when test="substring(first, 1, 10) = substring(last, 1, 10)"><t:fr>le </t:fr><t:en>on </t:en><xsl:call-template name="date"><xsl:with-param name="day" select="substring(first, 1, 10)"/></xsl:call-template></xsl:when>
        <xsl:otherwise><t:fr>du </t:fr><t:en>from </t:en><xsl:call-template name="date"><xsl:with-param name="day" select="substring(first, 1, 10)"/></xsl:call-template><t:fr> au </t:fr><t:en> to </t:en><xsl:call-template name="date"><xsl:with-param name="day" select="substring(last, 1, 10)"/></xsl:call-template></xsl:otherwise>
      </xsl:choose>
      <t:fr> (dates en temps universel).</t:fr><t:en> (dates in universal time).</t:en>
    </p>
  </xsl:if>
  <h2><t:fr>Les données qui peuvent être concernées</t:fr><t:en>The data that may be concerned</t:en></h2>
  <ul><xsl:for-each select="categories/item"><li><xsl:choose><xsl:when test="unclassified = 'true'"><t:fr>d’autres données de votre dossier</t:fr><t:en>other data of your file</t:en></xsl:when><xsl:otherwise><xsl:call-template name="category-title"/></xsl:otherwise></xsl:choose></li></xsl:for-each></ul>
  <h2><t:fr>Ce que cela peut signifier pour vous</t:fr><t:en>What it may mean for you</t:en></h2>
  <p><xsl:apply-templates select="consequences" mode="value"/></p>
  <h2><t:fr>Ce que nous avons fait, et ce que vous pouvez faire</t:fr><t:en>What we have done, and what you can do</t:en></h2>
  <p><xsl:apply-templates select="measures_taken" mode="value"/></p>
  <h2><t:fr>À qui vous adresser</t:fr><t:en>Whom to ask</t:en></h2>
  <p><xsl:call-template name="officer-line"/></p>
  <p><xsl:call-template name="contact"/></p>
  <p><t:fr>Vous pouvez aussi adresser une réclamation à la CNIL (<a href="https://www.cnil.fr/fr/plaintes">https://www.cnil.fr/fr/plaintes</a>), et trouver de l’aide sur <a href="https://www.cybermalveillance.gouv.fr">https://www.cybermalveillance.gouv.fr</a>.</t:fr><t:en>You can also complain to the CNIL (<a href="https://www.cnil.fr/fr/plaintes">https://www.cnil.fr/fr/plaintes</a>), and find help at <a href="https://www.cybermalveillance.gouv.fr">https://www.cybermalveillance.gouv.fr</a>.</t:en></p>
  <p><t:fr>Nous vous prions d’agréer, Madame, Monsieur, l’expression de notre considération.</t:fr><t:en>Yours faithfully,</t:en></p>
  <p><xsl:apply-templates select="organisation/controller/name" mode="value"/><xsl:if test="organisation/controller/role">, <xsl:value-of select="organisation/controller/role"/></xsl:if></p>
</xsl:template>
</xsl:stylesheet>
