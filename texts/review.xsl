<?xml version="1.0" encoding="UTF-8"?>
<!-- review.xsl: accounts and rights, to be gone through once a year and signed, of `pgvigil review`. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:pgvigil:text" exclude-result-prefixes="t">
<xsl:output method="html" encoding="UTF-8" indent="no"/>

<xsl:template match="/">
  <xsl:call-template name="page">
    <xsl:with-param name="title"><t:fr>Revue des comptes et des droits</t:fr><t:en>Review of accounts and rights</t:en></xsl:with-param>
    <xsl:with-param name="class">review</xsl:with-param>
  </xsl:call-template>
</xsl:template>

<xsl:template match="document" mode="body">
  <xsl:if test="damaged = 'true'"><p class="alarm"><t:fr>Une partie de la trace n’a pas pu être lue&#160;: les nombres sont des minima.</t:fr><t:en>Part of the trail could not be read: the numbers are minima.</t:en></p></xsl:if>
  <p>
    <t:fr>Comptes&#160;: <xsl:value-of select="count(accounts/item)"/>, dont <xsl:value-of select="unused"/> sans aucun usage dans la période. </t:fr>
    <t:en>Accounts: <xsl:value-of select="count(accounts/item)"/>, of which <xsl:value-of select="unused"/> were not used in the period. </t:en>
    <xsl:choose>
      <xsl:when test="trail_first"><t:fr>Trace lue (UTC)&#160;: du </t:fr><t:en>Trail read (UTC): from </t:en><xsl:call-template name="date"><xsl:with-param name="day" select="substring(trail_first, 1, 10)"/></xsl:call-template><t:fr> au </t:fr><t:en> to </t:en><xsl:call-template name="date"><xsl:with-param name="day" select="substring(trail_last, 1, 10)"/></xsl:call-template>.</xsl:when>
      <xsl:otherwise><strong class="alarm"><t:fr>La trace n’a aucun enregistrement dans la période.</t:fr><t:en>The trail has no record in the period.</t:en></strong></xsl:otherwise>
    </xsl:choose>
  </p>
  <p class="note"><t:fr>Depuis quand un droit est accordé n’est écrit nulle part&#8239;: «&#160;premier usage&#160;» est le premier que la trace lue contienne. Pour chaque droit, cochez la décision&#8239;; ce qui ne sert pas est à retirer de la politique.</t:fr><t:en>Since when a right has been given is written nowhere: “first use” is the first that the trail holds. Tick a decision for each right; what is not used is to be taken out of the policy.</t:en></p>
  <table>
    <thead><tr><th scope="col"><t:fr>Compte</t:fr><t:en>Account</t:en></th><th scope="col"><t:fr>Rôle</t:fr><t:en>Role</t:en></th><th scope="col">Mission</th><th scope="col"><t:fr>Premier usage</t:fr><t:en>First use</t:en></th><th scope="col"><t:fr>Dernier usage</t:fr><t:en>Last use</t:en></th><th scope="col" class="number"><t:fr>Requêtes</t:fr><t:en>Statements</t:en></th><th scope="col"><t:fr>Décision</t:fr><t:en>Decision</t:en></th></tr></thead>
    <tbody>
    <xsl:for-each select="accounts/item">
      <xsl:variable name="account" select="."/>
      <xsl:for-each select="rights/item">
        <tr>
          <xsl:if test="position() = 1"><th scope="rowgroup" rowspan="{count($account/rights/item)}"><xsl:call-template name="account"><xsl:with-param name="account" select="$account"/></xsl:call-template></th></xsl:if>
          <td><xsl:apply-templates select="role_title" mode="value"/><xsl:if test="unrestricted = 'true'"><strong class="alarm"><t:fr> sans restriction</t:fr><t:en> unrestricted</t:en></strong></xsl:if></td>
          <td><xsl:apply-templates select="mission_title" mode="value"/></td>
          <td class="time"><xsl:call-template name="used"><xsl:with-param name="at" select="first"/></xsl:call-template></td>
          <td class="time"><xsl:call-template name="used"><xsl:with-param name="at" select="last"/></xsl:call-template></td>
          <td class="number"><xsl:value-of select="statements"/></td>
          <td class="time"><xsl:call-template name="boxes"/></td>
        </tr>
      </xsl:for-each>
      <xsl:if test="not(rights/item)">
        <tr><th scope="row"><xsl:call-template name="account"><xsl:with-param name="account" select="."/></xsl:call-template></th>
          <td colspan="2"><t:fr>aucun rôle à lui</t:fr><t:en>no role of its own</t:en></td>
          <td class="time"><xsl:call-template name="used"><xsl:with-param name="at" select="first"/></xsl:call-template></td>
          <td class="time"><xsl:call-template name="used"><xsl:with-param name="at" select="last"/></xsl:call-template></td>
          <td class="number"><xsl:value-of select="statements"/></td><td class="time"><xsl:call-template name="boxes"/></td></tr>
      </xsl:if>
    </xsl:for-each>
    </tbody>
  </table>
  <xsl:if test="gone/item">
    <h2><t:fr>Dans la trace, et plus dans la politique</t:fr><t:en>In the trail, and no longer in the policy</t:en></h2>
    <ul><xsl:for-each select="gone/item"><li><xsl:value-of select="name"/><xsl:if test="last"><t:fr>, dernier usage le </t:fr><t:en>, last use on </t:en><xsl:call-template name="date"><xsl:with-param name="day" select="substring(last, 1, 10)"/></xsl:call-template></xsl:if></li></xsl:for-each></ul>
  </xsl:if>
  <table class="sign">
    <thead><tr><th scope="col"><t:fr>Revue faite par</t:fr><t:en>Reviewed by</t:en></th><th scope="col"><t:fr>Qualité</t:fr><t:en>As</t:en></th><th scope="col">Date</th><th scope="col">Signature</th></tr></thead>
    <tbody>
      <tr><td><xsl:apply-templates select="organisation/controller/name" mode="value"/></td><td><t:fr>responsable du traitement</t:fr><t:en>controller</t:en></td><td></td><td></td></tr>
      <xsl:if test="not(organisation/dpo/not_designated)"><tr><td><xsl:apply-templates select="organisation/dpo/name" mode="value"/></td><td><t:fr>délégué à la protection des données</t:fr><t:en>data protection officer</t:en></td><td></td><td></td></tr></xsl:if>
    </tbody>
  </table>
</xsl:template>

<xsl:template name="account">
  <xsl:param name="account"/>
  <xsl:value-of select="$account/name"/>
  <xsl:if test="$account/acts_for_others = 'true'"><br/><t:fr>(agit pour d’autres)</t:fr><t:en>(acts for others)</t:en></xsl:if>
  <xsl:if test="$account/hosts = 'true'"><br/><t:fr>(hébergeur)</t:fr><t:en>(host)</t:en></xsl:if>
  <xsl:if test="$account/admin = 'true'"><br/><t:fr>(console)</t:fr><t:en>(console)</t:en></xsl:if>
  <xsl:if test="$account/statements = 0"><br/><strong class="alarm"><t:fr>jamais utilisé</t:fr><t:en>never used</t:en></strong></xsl:if>
</xsl:template>

<xsl:template name="used">
  <xsl:param name="at"/>
  <xsl:choose><xsl:when test="$at"><xsl:value-of select="substring($at, 1, 10)"/></xsl:when><xsl:otherwise>–</xsl:otherwise></xsl:choose>
</xsl:template>

<xsl:template name="boxes"><t:fr>☐&#160;garder ☐&#160;retirer</t:fr><t:en>☐&#160;keep ☐&#160;take away</t:en></xsl:template>
</xsl:stylesheet>
