<?xml version="1.0" encoding="UTF-8"?>
<!-- register.xsl: the record of processing activities (GDPR, article 30), of `pgvigil register`. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:pgvigil:text" exclude-result-prefixes="t">
<xsl:output method="html" encoding="UTF-8" indent="no"/>

<xsl:template match="/">
  <xsl:call-template name="page">
    <xsl:with-param name="title"><t:fr>Registre des activités de traitement</t:fr><t:en>Record of processing activities</t:en></xsl:with-param>
    <xsl:with-param name="class">register</xsl:with-param>
  </xsl:call-template>
</xsl:template>

<xsl:template match="document" mode="body">
  <p class="note">
    <t:fr>Article&#160;30 du règlement général sur la protection des données (RGPD). Ce registre porte sur la base de données des dossiers. Les autres traitements de la structure (personnel, comptabilité, site internet, dossiers sur papier) et ses autres sous-traitants sont à inscrire à la suite.</t:fr>
    <t:en>Article 30 of the General Data Protection Regulation (GDPR). This record is about the records database. The organisation’s other processing (staff, accounts, web site, files on paper) and its other processors are to be added.</t:en>
  </p>
  <h2><t:fr>Responsable du traitement</t:fr><t:en>Controller</t:en></h2>
  <xsl:apply-templates select="organisation" mode="table"/>
  <h2><t:fr>Hébergement des données</t:fr><t:en>Hosting</t:en></h2>
  <xsl:apply-templates select="hosting" mode="table"/>
  <h2><t:fr>Traitements</t:fr><t:en>Processing activities</t:en></h2>
  <xsl:for-each select="activities/item">
    <h3><xsl:value-of select="position()"/>. <xsl:apply-templates select="title" mode="value"/></h3>
    <xsl:call-template name="activity"/>
  </xsl:for-each>
  <h2><t:fr>Mesures de sécurité en place</t:fr><t:en>Security measures in place</t:en></h2>
  <xsl:apply-templates select="security" mode="list"/>
  <p class="note">
    <t:fr>Sont énumérées les seules mesures que la configuration active. Les autres (pare-feu, antivirus, sauvegardes, locaux, formation) relèvent de la structure et sont à ajouter.</t:fr>
    <t:en>Only measures that the configuration switches on are listed. Others (firewall, antivirus, backups, premises, training) are the organisation’s and are to be added.</t:en>
  </p>
  <h2><t:fr>Traces des accès</t:fr><t:en>Trail of access</t:en></h2>
  <p>
    <t:fr>Le journal des accès contient des données sur les professionnels (qui, quand, pourquoi) et l’identifiant des patients concernés. Durée de conservation&#160;: </t:fr>
    <t:en>The trail holds data on professionals (who, when, why) and the numbers of the patients concerned. Retention: </t:en>
    <xsl:choose>
      <xsl:when test="trail_retention/@missing"><xsl:apply-templates select="trail_retention" mode="value"/></xsl:when>
      <xsl:otherwise>
        <xsl:value-of select="trail_retention/technical_days"/><t:fr> jours pour les traces techniques</t:fr><t:en> days for technical records</t:en>
        <xsl:if test="trail_retention/care_years &gt; 0">, <xsl:value-of select="trail_retention/care_years"/><t:fr> ans pour les accès aux dossiers</t:fr><t:en> years for access to files</t:en></xsl:if>
      </xsl:otherwise>
    </xsl:choose>.
  </p>
</xsl:template>

<xsl:template name="activity">
  <table class="facts">
    <tbody>
    <tr><th scope="row"><t:fr>Finalité</t:fr><t:en>Purpose</t:en></th><td><xsl:apply-templates select="description" mode="value"/></td></tr>
    <tr><th scope="row"><t:fr>Base légale</t:fr><t:en>Legal basis</t:en></th><td><xsl:call-template name="basis-line"/></td></tr>
    <xsl:if test="special_basis"><tr><th scope="row"><t:fr>Exception de l’article&#160;9</t:fr><t:en>Exception of article 9</t:en></th><td><xsl:call-template name="special-line"/></td></tr></xsl:if>
    <tr><th scope="row"><t:fr>Personnes concernées</t:fr><t:en>Persons concerned</t:en></th><td><xsl:call-template name="persons"><xsl:with-param name="categories" select="categories"/></xsl:call-template></td></tr>
    <tr><th scope="row"><t:fr>Catégories de données</t:fr><t:en>Categories of data</t:en></th><td><xsl:for-each select="categories"><xsl:call-template name="category-list"/></xsl:for-each></td></tr>
    <tr><th scope="row"><t:fr>Destinataires</t:fr><t:en>Recipients</t:en></th>
      <td>
        <xsl:for-each select="recipients/item">
          <div>
            <strong><xsl:apply-templates select="title" mode="value"/></strong>
            <t:fr> (comptes&#160;: <xsl:value-of select="users"/>)&#160;: </t:fr><t:en> (accounts: <xsl:value-of select="users"/>): </t:en>
            <xsl:choose>
              <xsl:when test="unrestricted = 'true'"><t:fr>toutes les données, sans restriction, chaque requête étant tracée</t:fr><t:en>all data, without restriction, every statement on record</t:en></xsl:when>
              <xsl:otherwise><xsl:for-each select="categories"><xsl:call-template name="category-list"/></xsl:for-each></xsl:otherwise>
            </xsl:choose>
          </div>
        </xsl:for-each>
        <xsl:if test="not(recipients/item)"><t:fr>aucun</t:fr><t:en>none</t:en></xsl:if>
      </td></tr>
    <tr><th scope="row"><t:fr>Durée de conservation</t:fr><t:en>Retention</t:en></th><td><xsl:apply-templates select="retention" mode="value"/></td></tr>
    <xsl:if test="limits/break_glass = 'true' or limits/max_rows &gt; 0 or limits/rows_per_hour &gt; 0">
      <tr><th scope="row"><t:fr>Limites</t:fr><t:en>Limits</t:en></th>
        <td>
          <xsl:if test="limits/break_glass = 'true'"><t:fr>Bris de glace&#160;: motif écrit, durée limitée. </t:fr><t:en>Breaking the glass: a written reason, for a limited time. </t:en></xsl:if>
          <xsl:if test="limits/max_rows &gt; 0"><t:fr>Au plus <xsl:value-of select="limits/max_rows"/> lignes par requête. </t:fr><t:en>At most <xsl:value-of select="limits/max_rows"/> rows a statement. </t:en></xsl:if>
          <xsl:if test="limits/rows_per_hour &gt; 0"><t:fr>Au plus <xsl:value-of select="limits/rows_per_hour"/> lignes par personne et par heure. </t:fr><t:en>At most <xsl:value-of select="limits/rows_per_hour"/> rows a person and hour. </t:en></xsl:if>
        </td></tr>
    </xsl:if>
    </tbody>
  </table>
</xsl:template>
</xsl:stylesheet>
