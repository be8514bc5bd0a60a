<?xml version="1.0" encoding="UTF-8"?>
<!-- subject.xsl: everything about a person (GDPR, article 15), of `pgvigil subject access`. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:pgvigil:text" exclude-result-prefixes="t">
<xsl:output method="html" encoding="UTF-8" indent="no"/>

<xsl:template match="/">
  <xsl:call-template name="page">
    <xsl:with-param name="title"><t:fr>Vos données personnelles</t:fr><t:en>Your personal data</t:en></xsl:with-param>
    <xsl:with-param name="class">subject</xsl:with-param>
  </xsl:call-template>
</xsl:template>

<xsl:template match="document" mode="body">
  <p class="note">
    <t:fr>Réponse à une demande d’accès (article&#160;15 du règlement général sur la protection des données, RGPD). Dossier n°&#160;<xsl:value-of select="patient"/>. Ce document contient tout ce que la base de données des dossiers conserve à votre sujet. Il est confidentiel.</t:fr>
    <t:en>Answer to a request for access (article 15 of the General Data Protection Regulation, GDPR). Record no. <xsl:value-of select="patient"/>. This document holds everything that the records database keeps about you. It is confidential.</t:en>
  </p>
  <h2><t:fr>Responsable du traitement</t:fr><t:en>Controller</t:en></h2>
  <xsl:apply-templates select="organisation" mode="table"/>
  <h2><t:fr>Qui a consulté votre dossier, et pourquoi</t:fr><t:en>Who has looked at your record, and why</t:en></h2>
  <xsl:choose>
    <xsl:when test="accesses/item">
      <table>
        <thead><tr>
          <th scope="col"><t:fr>Fonction</t:fr><t:en>Function</t:en></th>
          <xsl:if test="accesses/item/person"><th scope="col"><t:fr>Personne</t:fr><t:en>Person</t:en></th></xsl:if>
          <th scope="col"><t:fr>Finalité</t:fr><t:en>Purpose</t:en></th>
          <th scope="col"><t:fr>Consultations</t:fr><t:en>Times</t:en></th>
          <th scope="col"><t:fr>De</t:fr><t:en>From</t:en></th>
          <th scope="col"><t:fr>À</t:fr><t:en>To</t:en></th>
        </tr></thead>
        <tbody>
          <xsl:for-each select="accesses/item">
            <tr><td><xsl:value-of select="role_title"/></td>
              <xsl:if test="person"><td><xsl:value-of select="person"/></td></xsl:if>
              <td><xsl:value-of select="mission_title"/></td><td><xsl:value-of select="count"/></td>
              <td><xsl:call-template name="moment"><xsl:with-param name="at" select="concat(substring(first, 1, 19), 'Z')"/></xsl:call-template></td>
              <td><xsl:call-template name="moment"><xsl:with-param name="at" select="concat(substring(last, 1, 19), 'Z')"/></xsl:call-template></td></tr>
          </xsl:for-each>
        </tbody>
      </table>
    </xsl:when>
    <xsl:otherwise><p><t:fr>Aucune consultation n’est enregistrée.</t:fr><t:en>No access is on record.</t:en></p></xsl:otherwise>
  </xsl:choose>
  <h2><t:fr>À quoi servent vos données, et qui les voit</t:fr><t:en>What your data are for, and who sees them</t:en></h2>
  <xsl:call-template name="purposes"/>
  <h2><t:fr>Où elles sont, et combien de temps</t:fr><t:en>Where they are, and for how long</t:en></h2>
  <p><xsl:call-template name="hosting-line"/></p>
  <p><xsl:choose>
    <xsl:when test="retention"><t:fr>Durée de conservation&#160;: </t:fr><t:en>Kept for: </t:en><xsl:apply-templates select="retention" mode="value"/>.</xsl:when>
    <xsl:otherwise><t:fr>Les dossiers médicaux sont soumis à des durées légales de conservation.</t:fr><t:en>Medical records are kept for as long as the law asks.</t:en></xsl:otherwise>
  </xsl:choose></p>
  <h2><t:fr>Vos données</t:fr><t:en>Your data</t:en></h2>
  <xsl:for-each select="tables/item">
    <h3><xsl:value-of select="table"/><xsl:if test="stands = 'archive'"><t:fr> (archives)</t:fr><t:en> (archive)</t:en></xsl:if></h3>
    <xsl:for-each select="rows/item">
      <table class="facts"><tbody>
        <xsl:for-each select="item">
          <tr><th scope="row"><xsl:value-of select="name"/></th><td><xsl:value-of select="value"/></td></tr>
        </xsl:for-each>
      </tbody></table>
    </xsl:for-each>
  </xsl:for-each>
  <h2><t:fr>Vos droits</t:fr><t:en>Your rights</t:en></h2>
  <p>
    <t:fr>Vous pouvez demander la rectification ou l’effacement de ces données, la limitation de leur traitement ou vous y opposer, et introduire une réclamation auprès de la CNIL (https://www.cnil.fr).</t:fr>
    <t:en>You may ask for these data to be corrected or erased, for their processing to be restricted, or object to it, and lodge a complaint with the CNIL (https://www.cnil.fr).</t:en>
  </p>
  <p><xsl:call-template name="contact"/></p>
</xsl:template>
</xsl:stylesheet>
