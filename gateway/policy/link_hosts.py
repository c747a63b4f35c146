"""Endings of host names by which a link is known that has no scheme in front. Pure.

All endings of countries, the general ones that texts of marketing and fraud use, and those in other scripts. An ending
that words of a language often have behind a full stop without a space is no reason to leave it out: handsets make a
link of it, too.
"""

from __future__ import annotations

from typing import Final

_COUNTRIES: Final = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca"
    " cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo"
    " fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je"
    " jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo"
    " mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt"
    " pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk"
    " tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"
)
_GENERAL: Final = (
    "com net org info biz edu gov mil int name pro mobi asia tel jobs travel cat coop aero museum post xxx arpa"
    " app dev page link click top xyz vip shop store online site website club fun icu tech work works live life"
    " wang ren ltd group win bid loan men date trade party science review reviews stream download racing"
    " accountant faith cricket space host press pub ink kim red blue pink black green gold today world center city"
    " company email network news plus run social studio team video zone cloud art games game love gift gifts help"
    " cash fund credit finance money bank insure tax legal law care health doctor clinic school college university"
    " academy education training courses study support services service systems solutions software technology"
    " digital media agency marketing events tickets tours holiday flights hotel hotels house homes estate rent"
    " sale sales deals discount cheap bargains market markets auction luxury fashion shoes clothing jewelry beauty"
    " hair makeup skin fitness yoga diet food kitchen restaurant bar cafe pizza beer wine delivery express direct"
    " exchange trading capital investments ventures partners business industries energy guru expert ninja rocks"
    " cool wiki blog chat community forum dating singles baby kids family pet dog garden photo photos pics"
    " pictures camera film movie show theater music band audio radio fm bet casino poker lotto bingo google apple"
    " amazon baidu alibaba alipay taobao tmall weibo sina xin xihuan beijing moe tokyo london paris berlin nyc"
    " hamburg amsterdam africa eus swiss global international foundation ong ngo bio eco earth tips tools toys one"
    " bond buzz cyou cfd sbs rest quest monster autos boats motorcycles yachts lol mom lat uno llc inc zip mov foo"
    " new day boo dad phd prof nexus esq channel rsvp ads how soy goo gle android chrome youtube wtf fyi gripe"
    " fail reisen immo gmbh haus jetzt schule kaufen versicherung koeln bayern wien ruhr saarland cologne"
)
_OTHER_SCRIPTS: Final = (
    "中国 中國 公司 网络 網絡 网址 在线 中文网 我爱你 手机 商城 网店 集团 移动 餐厅 网站 企业 商标 娱乐 游戏 购物"
    " 信息 机构 政务 公益 香港 台湾 台灣 澳門 新加坡 广东 佛山 时尚 世界 健康 招聘 食品 珠宝 慈善 酒店 大拿 点看"
    " 八卦 商店 联通 谷歌 みんな ストア セール コム クラウド ファッション ポイント 닷컴 닷넷 한국 삼성 рф рус"
    " онлайн сайт дети москва орг ком укр бел срб мкд мон бг ею қаз հայ გე ελ ευ भारत संगठन कॉम नेट বাংলা ভারত ไทย"
    " คอม ලංකා இந்தியா عمان السعودية مصر قطر امارات ایران بازار شبكة موقع كوم ישראל קום"
)
ENDINGS: Final = frozenset(f"{_COUNTRIES} {_GENERAL}".split())
"""In ASCII."""
_LONGEST_FIRST: Final = sorted(set(_OTHER_SCRIPTS.split()), key=lambda ending: (-len(ending), ending))
OTHER_ENDINGS: Final = {
    first: tuple(ending for ending in _LONGEST_FIRST if ending[0] == first)
    for first in {ending[0] for ending in _LONGEST_FIRST}
}
"""In other scripts, by their first character, the longest first."""
