<?xml version="1.0" encoding="UTF-8"?>
<!-- poster.xsl: for the waiting room, one page (GDPR, article 13), of `pgvigil notice`. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:pgvigil:text" exclude-result-prefixes="t">
<xsl:output method="html" encoding="UTF-8" indent="no"/>

<xsl:template match="/">
  <xsl:call-template name="page">
    <xsl:with-param name="title"><t:fr>Vos données de santé, vos droits</t:fr><t:en>Your health data, your rights</t:en></xsl:with-param>
    <xsl:with-param name="class">poster</xsl:with-param>
  </xsl:call-template>
</xsl:template>

<xsl:template match="document" mode="body">
  <p class="lead">
    <t:fr>Pour vous soigner, nous tenons un dossier informatisé. </t:fr><t:en>To care for you we keep a computerised file. </t:en>
    <t:fr>Responsable du traitement&#160;: </t:fr><t:en>Controller: </t:en>
    <xsl:apply-templates select="organisation/name" mode="value"/> (<xsl:apply-templates select="organisation/controller/name" mode="value"/>).
  </p>
  <div class="columns">
    <section>
      <h2><t:fr>À quoi servent vos données</t:fr><t:en>What your data are for</t:en></h2>
      <ul><xsl:for-each select="activities/item"><li><strong><xsl:apply-templates select="title" mode="value"/></strong> – <xsl:apply-templates select="legal_basis" mode="words"/></li></xsl:for-each></ul>
    </section>
    <section>
      <h2><t:fr>Lesquelles</t:fr><t:en>Which data</t:en></h2>
      <p><t:fr>Selon les cas&#160;: </t:fr><t:en>As it may be: </t:en><xsl:for-each select="categories/item[persons/item = 'patients']"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:apply-templates select="title" mode="value"/></xsl:for-each>.</p>
    </section>
    <section>
      <h2><t:fr>Qui y a accès</t:fr><t:en>Who sees them</t:en></h2>
      <p><t:fr>Seulement ceux qui en ont besoin, selon leur fonction et leur mission&#160;: </t:fr><t:en>Only those who need to, by what they are and why they look: </t:en>
        <xsl:for-each select="recipients/item"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:apply-templates select="title" mode="value"/></xsl:for-each>.
        <t:fr> Chaque accès est enregistré.</t:fr><t:en> Each access is recorded.</t:en></p>
      <p><xsl:call-template name="hosting-line"/></p>
    </section>
    <section>
      <h2><t:fr>Combien de temps</t:fr><t:en>For how long</t:en></h2>
      <p><xsl:apply-templates select="retention" mode="value"/></p>
    </section>
    <section>
      <h2><t:fr>Vos droits</t:fr><t:en>Your rights</t:en></h2>
      <xsl:call-template name="rights"/>
    </section>
    <section>
      <h2><t:fr>Comment les exercer</t:fr><t:en>How to use them</t:en></h2>
      <p><xsl:call-template name="officer-line"/></p>
      <p><xsl:call-template name="contact"/></p>
      <p><xsl:call-template name="complaint"/></p>
    </section>
  </div>
</xsl:template>
</xsl:stylesheet>
