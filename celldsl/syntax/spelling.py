"""Spellings: the tables that the reader and the writer of specs share.

Greek letters, accents, Unicode's subscripts and superscripts, and LaTeX's commands by what they do.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GREEK: dict[str, str] = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "iota": "ι",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "upsilon": "υ",
    "phi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
    "Gamma": "Γ",
    "Delta": "Δ",
    "Theta": "Θ",
    "Lambda": "Λ",
    "Xi": "Ξ",
    "Pi": "Π",
    "Sigma": "Σ",
    "Upsilon": "Υ",
    "Phi": "Φ",
    "Psi": "Ψ",
    "Omega": "Ω",
}
"""Greek letters by their names; a capital that looks Latin has none, as in LaTeX."""

GREEK_NAMES: dict[str, str] = {letter: name for name, letter in GREEK.items()} | {
    "ϵ": "epsilon",
    "ϑ": "theta",
    "ϕ": "phi",
    "ϱ": "rho",
    "ϖ": "pi",
    "ϰ": "kappa",
    "ς": "sigma",
    "µ": "mu",
}
GREEK_COMMANDS: dict[str, str] = {name: name for name in GREEK} | {
    f"var{name}": name for name in ("epsilon", "theta", "phi", "rho", "pi", "kappa", "sigma")
}

ACCENTS: dict[str, str] = {"tilde": "\u0303", "hat": "\u0302", "bar": "\u0304", "dot": "\u0307", "ddot": "\u0308"}
ACCENT_MARKS: dict[str, str] = {mark: name for name, mark in ACCENTS.items()} | {"\u0305": "bar"}
ACCENT_COMMANDS: dict[str, str] = {name: name for name in ACCENTS} | {
    "widetilde": "tilde",
    "widehat": "hat",
    "overline": "bar",
}

SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₔₕₖₗₘₙₚₛₜᵢᵣᵤᵥᵦᵧᵨᵩᵪⱼ", "0123456789+-=()aeoxəhklmnpstiruvβγρφχj")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀᵗᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵘᵛʷˣʸᶻ", "0123456789+-()Ttabcdefghijklmnoprsuvwxyz")

STYLES = _words(
    """
    mathbf mathrm mathit mathsf mathtt mathcal mathbb mathfrak mathscr mathnormal boldsymbol bm pmb bf
    rm it sf vec text textbf textit textrm textsf texttt textnormal mbox hbox operatorname operatorname*
    """
)
"""Commands that only dress their argument: `\\mathbf{W}` is W."""

UPRIGHT = _words("text textnormal textrm mathrm mbox hbox operatorname operatorname* rm")
"""Styles that names of several letters are set in."""

NOISE = _words(
    """
    left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm middle quad qquad , ;
    : ! > enspace thinspace displaystyle textstyle scriptstyle nonumber notag limits nolimits hfill
    hskip mathstrut strut smallskip ( ) [ ] allowbreak mathopen mathclose mathbin mathrel mathop
    noindent centering
    """
) | {" ", "\n", "\t"}
"""Commands of layout alone."""

SIGNS: dict[str, tuple[str, str]] = {
    "cdot": ("CDOT", "·"),
    "dots": ("DOTS", ".."),
    "ldots": ("DOTS", ".."),
    "cdots": ("DOTS", ".."),
    "odot": ("TIMES", "*"),
    "circ": ("TIMES", "*"),
    "times": ("TIMES", "×"),
    "ast": ("TIMES", "*"),
    "div": ("SLASH", "/"),
    "{": ("LPAR", "("),
    "}": ("RPAR", ")"),
    "lbrace": ("LPAR", "("),
    "rbrace": ("RPAR", ")"),
    "lparen": ("LPAR", "("),
    "rparen": ("RPAR", ")"),
    "lbrack": ("LSQUARE", "["),
    "rbrack": ("RSQUARE", "]"),
    "lt": ("RELATION_SIGN", "<"),
    "gt": ("RELATION_SIGN", ">"),
    "le": ("RELATION_SIGN", "<="),
    "leq": ("RELATION_SIGN", "<="),
    "leqslant": ("RELATION_SIGN", "<="),
    "ge": ("RELATION_SIGN", ">="),
    "geq": ("RELATION_SIGN", ">="),
    "geqslant": ("RELATION_SIGN", ">="),
    "coloneqq": ("EQ", "="),
    "triangleq": ("EQ", "="),
    "frac": ("FRACTION", "\\frac"),
    "tfrac": ("FRACTION", "\\frac"),
    "dfrac": ("FRACTION", "\\frac"),
    "_": ("UNDERSCORE", "_"),
    "prime": ("PRIME", "'"),
    "colon": ("COLON", ":"),
}
"""Commands that stand for a sign: its terminal and its plain spelling."""

TRANSPOSES = frozenset({"T", "top", "intercal"})
LAYOUTS = _words(
    """
    align align* aligned equation equation* gather gather* gathered split eqnarray eqnarray* multline
    multline* displaymath math flalign flalign* alignat alignat*
    """
)
MATRICES = _words(
    """
    bmatrix pmatrix matrix array Bmatrix smallmatrix
    """
)

LOOK_ALIKES: dict[str, tuple[str, str, str]] = {
    "–": ("MINUS", "-", ""),
    "—": ("MINUS", "-", ""),
    "‐": ("MINUS", "-", ""),
    "‑": ("MINUS", "-", ""),
    "＋": ("PLUS", "+", ""),
    "＝": ("EQ", "=", ""),
    "（": ("LPAR", "(", ""),
    "）": ("RPAR", ")", ""),
    "，": ("COMMA", ",", ""),
    "：": ("COLON", ":", ""),
    "；": ("SEMICOLON", ";", ""),
    "•": ("TIMES", "*", "write `⊙` or `*` for the elementwise product"),
    "∙": ("CDOT", "·", "write `·` between factors, or `⊙` for the elementwise product"),
    "÷": ("SLASH", "/", ""),
    "⊗": ("TIMES", "*", "write `⊙` for the elementwise product, `outer(a, b)` for the outer product"),
    "⊕": ("PLUS", "+", "write `+` for a sum, `[a; b]` to stack two vectors"),
    "⋆": ("TIMES", "*", "convolutions are not part of the language yet; the elementwise product is `*` or `⊙`"),
    "|": ("", "", "write `abs(…)` for an absolute value, `norm(…)` for a norm"),
    "‖": ("", "", "write `norm(…)` for a norm"),
    "√": ("", "", "write `sqrt(…)`"),
    "∑": ("", "", "write `sum(…)` for the sum of a vector's entries; sums over sets are not part of the language yet"),
    "∈": ("", "", "bounds are written `claim 0 < i_t < 1`"),
    "\u201c": ("", "", 'write `"` around texts'),
    "\u201d": ("", "", 'write `"` around texts'),
    "\u2018": ("PRIME", "'", ""),
    "\u2019": ("PRIME", "'", ""),
    "`": ("", "", 'write `"` around texts, and nothing around names'),
    "а": ("WORD", "a", "write the Latin letter `a`"),
    "с": ("WORD", "c", "write the Latin letter `c`"),
    "е": ("WORD", "e", "write the Latin letter `e`"),
    "о": ("WORD", "o", "write the Latin letter `o`"),
    "р": ("WORD", "p", "write the Latin letter `p`"),
    "х": ("WORD", "x", "write the Latin letter `x`"),
    "і": ("WORD", "i", "write the Latin letter `i`"),
    "һ": ("WORD", "h", "write the Latin letter `h`"),
}
"""Characters that look like others, or that stand for something written otherwise here:
the terminal they are read as, its spelling, and the repair where `write …` does not say it."""

UNSUPPORTED_COMMANDS: dict[str, str] = {
    "sum": "write `sum(…)` for the sum of a vector's entries; sums over sets are not part of the language yet",
    "prod": "products over sets are not part of the language yet; write the factors out",
    "otimes": "write `\\odot` for the elementwise product, `outer(a, b)` for the outer product",
    "oplus": "write `+` for a sum, `[a; b]` to stack two vectors",
    "star": "convolutions are not part of the language yet; the elementwise product is `*` or `\\odot`",
    "lVert": "write `norm(…)` for a norm",
    "rVert": "write `norm(…)` for a norm",
    "|": "write `norm(…)` for a norm",
    "lvert": "write `abs(…)` for an absolute value",
    "rvert": "write `abs(…)` for an absolute value",
    "leftarrow": "an equation is written with `=`",
    "gets": "an equation is written with `=`",
    "to": "indices are joined by writing them side by side: `W_{xi}`",
    "in": "bounds are written `claim 0 < i_t < 1`",
    "infty": "numbers are finite here; for a state that starts at minus infinity take a large number: `-1e30`",
    "equiv": "an equation is written with `=`",
    "approx": "an equation is written with `=`",
    "sim": "an equation is written with `=`; noise is not part of the language yet",
    "underbrace": "take it away: braces over and under a formula say nothing",
    "overbrace": "take it away: braces over and under a formula say nothing",
    "mid": "conditions are not part of the language",
    "newcommand": "macros are not read: write their meaning out in the equations",
    "def": "macros are not read: write their meaning out in the equations; a function is `def f(v) = …`",
}
"""LaTeX that a reader knows but that says something the language cannot, or writes otherwise."""
