<?xml version="1.0" encoding="UTF-8"?>
<!-- leaflet.xsl: for patients to take with them (GDPR, article 13), of `pgvigil notice`, form leaflet. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:pgvigil:text" exclude-result-prefixes="t">
<xsl:output method="html" encoding="UTF-8" indent="no"/>

<xsl:template match="/">
  <xsl:call-template name="page">
    <xsl:with-param name="title"><t:fr>Vos données de santé&#160;: ce que nous en faisons, vos droits</t:fr><t:en>Your health data: what we do with them, and your rights</t:en></xsl:with-param>
    <xsl:with-param name="class">leaflet</xsl:with-param>
  </xsl:call-template>
</xsl:template>

<xsl:template match="document" mode="body">
  <p><t:fr>Pour vous soigner, nous tenons un dossier informatisé. Cette notice vous dit ce qu’il contient, à quoi il sert, qui le consulte et comment exercer vos droits (article&#160;13 du règlement général sur la protection des données).</t:fr><t:en>To care for you we keep a computerised file. This leaflet tells what it holds, what it is for, who looks at it and how to use your rights (article 13 of the General Data Protection Regulation).</t:en></p>
  <h2><t:fr>Qui en est responsable</t:fr><t:en>Who answers for it</t:en></h2>
  <p>
    <xsl:apply-templates select="organisation/name" mode="value"/>, <xsl:apply-templates select="organisation/address" mode="value"/>
    – <xsl:apply-templates select="organisation/controller/name" mode="value"/><xsl:if test="organisation/controller/role">, <xsl:value-of select="organisation/controller/role"/></xsl:if>.
  </p>
  <p><xsl:call-template name="officer-line"/></p>
  <h2><t:fr>À quoi servent vos données, et qui les voit</t:fr><t:en>What your data are for, and who sees them</t:en></h2>
  <xsl:call-template name="purposes"/>
  <h2><t:fr>Où elles sont, et combien de temps</t:fr><t:en>Where they are, and for how long</t:en></h2>
  <p><xsl:call-template name="hosting-line"/></p>
  <p><t:fr>Durée de conservation&#160;: </t:fr><t:en>Kept for: </t:en><xsl:apply-templates select="retention" mode="value"/></p>
  <h2><t:fr>Vos droits</t:fr><t:en>Your rights</t:en></h2>
  <xsl:call-template name="rights"/>
  <p><xsl:call-template name="contact"/><t:fr> Nous répondons dans un délai d’un mois.</t:fr><t:en> We answer within a month.</t:en></p>
  <p><xsl:call-template name="complaint"/></p>
</xsl:template>
</xsl:stylesheet>
