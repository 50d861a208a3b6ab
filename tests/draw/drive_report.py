"""Drives the pages in a browser: every control of the report, by pointer and keyboard, and looks at what it does.

    drive_report.py TEST_REPORT LIMN MAKE_MODELS [FOLDER]     pictures of the pages are left in FOLDER

Exits 77 where there is no Chromium."""
import os
import subprocess
import sys
import tempfile

import browser

passed = failed = 0


def check(good, what):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("failed:", what, flush=True)


READY = "document.documentElement.dataset.ready === 'yes'"
SETTLE = "new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 30))"

HELPERS = """
window.pick = (selector, value) => {
  const e = document.querySelector(selector);
  e.value = value;
  e.dispatchEvent(new Event(e.type === 'range' ? 'input' : 'change', {bubbles: true}));
};
window.look = (n, x, y, width, height) => {
  const c = [...document.querySelectorAll('.result canvas')].filter(c => c.checkVisibility())[n];
  const copy = document.createElement('canvas'), at = (v, size, of) => Math.floor((v + 0.5) / of * size);
  copy.width = width || c.width;
  copy.height = height || c.height;
  const to = copy.getContext('2d', {willReadFrequently: true});
  to.drawImage(c, width ? -at(x, c.width, 24) : 0, height ? -at(y, c.height, 16) : 0);
  return [...to.getImageData(0, 0, copy.width, copy.height).data];
};
window.shot = n => look(n);
window.pixel = (n, x, y) => look(n, x, y, 1, 1).slice(0, 3);
window.seen = selector => [...document.querySelectorAll(selector)].filter(e => e.checkVisibility()).length;
"""


def near(a, b, tolerance=3):
    return all(abs(x - y) <= tolerance for x, y in zip(a, b))


def reddish(p):
    return p[0] > p[2] + 40


def bluish(p):
    return p[2] > p[0] + 40


class Page:
    def __init__(self, b, path):
        self.b = b
        b.open(path, READY)
        b.run(HELPERS)
        self.settle()

    def settle(self):
        self.b.run(SETTLE)

    def pick(self, name, value):
        self.b.run(f"pick('#set-{name}', {value!r})")
        self.settle()

    def click(self, selector):
        self.b.run(f"document.querySelector({selector!r}).click()")
        self.settle()

    def pixel(self, number, x, y):
        return self.b.run(f"pixel({number}, {x}, {y})")

    def seen(self, selector):
        return self.b.run(f"seen({selector!r})")

    def text(self, selector):
        return self.b.run(f"document.querySelector({selector!r}).textContent")


def drive_maps(page):
    """Map 0 is 2 inside of the mask (4 to 7 in x and y), -1 beyond x = 18; map 1 is positive; map 2 is 6 x 4."""
    check(page.seen(".model") == 2 and page.seen(".sample") == 2, "both models show their first sample")
    check(page.seen(".result canvas") == 12, "three methods, two targets, two models")
    inside, beyond = page.pixel(0, 5, 5), page.pixel(0, 21, 5)
    check(reddish(inside) and bluish(beyond), f"for is red and against blue: {inside} {beyond}")
    grey = page.pixel(0, 0, 0)
    check(near(grey[:1] * 3, grey), f"nothing is grey: {grey}")

    page.pick("sign", "positive")
    check(not bluish(page.pixel(0, 21, 5)) and page.pixel(0, 5, 5) != grey, "for only hides what speaks against")
    page.pick("sign", "negative")
    hidden = page.pixel(0, 5, 5)
    check(near(hidden[:1] * 3, hidden) and page.pixel(0, 21, 5) != beyond, "against only hides what speaks for")
    page.pick("sign", "absolute")
    check(not bluish(page.pixel(0, 21, 5)), "size only has no blue")
    page.pick("sign", "signed")
    check(page.pixel(0, 5, 5) == inside, "and back")

    page.pick("palette", "ink")
    check(page.pixel(0, 5, 5) != inside, "another palette has other colours")
    page.pick("palette", "auto")

    page.pick("opacity", "0")
    bare = page.pixel(0, 5, 5)
    check(near(bare[:1] * 3, bare), f"no opacity shows the picture: {bare}")
    page.pick("under", "colour")
    check(near(page.pixel(0, 5, 5), [50, 75, 128]), "the picture in its colours")
    page.pick("under", "hidden")
    check(page.pixel(0, 5, 5) == [255, 255, 255], "no picture is white")
    check(page.text("output[for=set-opacity]") == "0 %", "the slider tells its value")
    page.pick("opacity", "90")
    page.pick("under", "grey")

    weak = page.pixel(0, 21, 5)
    page.pick("clip", "80")
    check(page.pixel(0, 21, 5) != weak, "clipping lower makes smaller values stronger")
    page.pick("clip", "99.5")

    page.pick("opacity", "100")
    page.pick("under", "hidden")
    coarse = "(all => new Set(all.map((v, i) => i % 4 ? '' : all.slice(i, i + 3).join())).size)(shot(2))"
    check(page.b.run(coarse) <= 25, "pixels as they are have few colours")
    page.pick("stretch", "bilinear")
    check(page.b.run(coarse) > 60, "smooth ones have many")
    page.pick("stretch", "nearest")
    page.pick("under", "grey")
    page.pick("opacity", "90")

    before = page.b.run("shot(0).join()")
    page.click("#set-truth")
    check(page.b.run("shot(0).join()") != before, "the truth is outlined")
    page.click("#set-truth")
    check(page.b.run("shot(0).join()") == before, "and no longer")


LEGEND = "[...document.querySelectorAll('.legend')].map(l => [l.textContent, l.querySelector('i').style.background" \
         ".match(/rgb\\([^)]*\\)/g).map(c => c.match(/\\d+/g).map(Number))])"


def drive_legend(page):
    """What the legend shows is what is drawn, for every kind and both palettes."""
    page.pick("under", "hidden")
    legends = page.b.run(LEGEND)
    check([l[0] for l in legends] == ["againstfor", "littlemuch"], f"maps of both kinds have a legend each: {legends}")
    check(near(legends[1][1][-1], page.pixel(1, 23, 15)), "the brightest of a map of sizes is the end of its legend")
    check(near(legends[0][1][-1], page.pixel(0, 5, 5)), "and so is the reddest of a map with signs")
    page.pick("palette", "ink")
    ink = page.b.run(LEGEND)
    check(ink != legends and near(ink[-1][1][-1], page.pixel(1, 23, 15)), "also of another palette")
    page.pick("palette", "auto")
    page.pick("sign", "absolute")
    check([l[0] for l in page.b.run(LEGEND)] == ["littlemuch"], "sizes only need one")
    page.pick("sign", "signed")
    page.click("input[name=method][value=gradcam]")
    check([l[0] for l in page.b.run(LEGEND)] == ["againstfor"], "what is not shown has none")
    page.click("#reset")
    page.click("input[name=sample][value='1']")
    ends = page.b.run("[...document.querySelectorAll('.columns i')].filter(i => i.checkVisibility()).slice(0, 2)"
                      ".map(i => getComputedStyle(i).backgroundColor.match(/\\d+/g).map(Number))")
    bars = page.b.run(LEGEND)[0][1]
    check(sorted(ends) == sorted([bars[0], bars[-1]]), f"bars have the colours of the legend: {ends} {bars}")
    page.click("input[name=sample][value='2']")
    ground = page.b.run("getComputedStyle([...document.querySelectorAll('.token')].filter(t => t.checkVisibility())[0])"
                        ".backgroundColor.match(/\\d+/g).map(Number)")
    check(len(page.b.run(LEGEND)) == 1, "tokens and series look alike")
    check(near(ground, page.b.run(LEGEND)[0][1][-1]), "and tokens have the colours of the legend")
    page.click("#reset")


def drive_choices(page):
    page.pick("target", "1")
    check(page.seen(".result canvas") == 6, "one target")
    page.pick("target", "all")
    page.click("input[name=method][value=gradcam]")
    check(page.seen(".result canvas") == 8, "without a method")
    page.click("input[name=method][value=gradcam]")
    page.pick("model", "1")
    check(page.seen(".model") == 1 and page.seen(".result canvas") == 6, "one model")
    page.pick("model", "all")
    page.click("input[name=sample][value=all]")
    check(page.seen(".sample") == 6 and page.seen(".result canvas") == 12, "all samples side by side")
    check(page.seen(".words") == 0, "without words")
    check(page.seen(".brief") == 6 and "75%" in page.text(".brief"), "but with what the model answered: " +
          page.text(".brief"))
    page.click("input[name=sample][value='1']")
    check(page.seen(".sample") == 2 and page.seen(".columns") == 2, "another sample: a table")
    page.click("#reset")
    check(page.seen(".result canvas") == 12, "everything as in the beginning")
    check(page.b.run("document.querySelector('#set-model').value") == "all", "and the controls say so")


def drive_link(page):
    """A link that names a sample opens the page there."""
    page.b.run("location.hash = '#sample-2'")
    page.settle()
    page.settle()
    check(page.b.run("[...document.querySelectorAll('.sample')].filter(e => e.checkVisibility())"
                     ".every(e => e.dataset.sample === '1')"), "a link shows its sample alone")
    check(page.b.run("document.querySelector('input[name=sample]:checked').value") == "1", "which is chosen")
    top = page.b.run("[...document.querySelectorAll('.sample')].find(e => e.checkVisibility())"
                     ".getBoundingClientRect().top")
    check(-5 < top < 400, f"and is in sight: {top}")
    page.b.run("location.hash = '#sample-1'")
    page.settle()
    page.settle()
    check(page.b.run("document.querySelector('input[name=sample]:checked').value") == "0",
          "and another leads elsewhere")


def drive_columns(page):
    page.click("input[name=sample][value='1']")
    bar = "[...document.querySelectorAll('.columns i')].filter(i => i.checkVisibility())[0].style."
    check(abs(float(page.b.run(bar + "width").rstrip("%")) - 50) < 0.1, "the largest bar reaches the end")
    rows = page.seen(".columns tbody tr")
    page.pick("sign", "negative")
    check(0 < page.seen(".columns tbody tr") < rows, "against only has fewer rows")
    page.pick("sign", "signed")
    page.click("#set-waterfall")
    left = "[...document.querySelectorAll('.columns tbody tr i')].filter(i => i.offsetParent).map(i => " \
           "[parseFloat(i.style.left), parseFloat(i.style.width)])"
    bars = page.b.run(left)
    check(all(a >= -0.1 and a + w <= 100.1 for a, w in bars), "a waterfall stays inside")
    joined = all(min(abs(p - q) for p in (a, a + w) for q in (c, c + d)) < 0.1
                 for (a, w), (c, d) in zip(bars[:20], bars[1:20]))
    check(joined, "each bar of a waterfall begins where the one before ended")
    gaps = page.b.run("[...document.querySelectorAll('.columns tbody tr')].filter(r => r.checkVisibility()).map(r => "
                      "['before', 'after'].map(c => r.querySelector('b.' + c).getBoundingClientRect()).map(b => "
                      "[b.left, b.top, b.bottom]))")
    check(all(abs(a[1][0] - b[0][0]) < 0.6 and b[0][1] - a[1][2] < 0.6 for a, b in zip(gaps[:20], gaps[1:20])),
          f"and the lines between them have no gap: {gaps[:2]}")
    page.click("#set-waterfall")
    before = page.b.run(bar + "background")
    page.pick("opacity", "40")
    check(page.b.run(bar + "background") != before, "bars follow opacity")
    page.click("#reset")


def drive_tokens_and_series(page):
    page.click("input[name=sample][value='2']")
    ground = "getComputedStyle([...document.querySelectorAll('.token')].filter(t => t.checkVisibility())[{}])" \
             ".backgroundColor"
    first, last = page.b.run(ground.format(0)), page.b.run(ground.format(8))
    check(first != last, "tokens for and against differ")
    page.pick("sign", "positive")
    check(page.b.run(ground.format(8)) == page.b.run(ground.format(4)), "for only: what speaks against is as a zero")
    page.pick("sign", "signed")
    fill = "[...document.querySelectorAll('.series rect')].filter(r => r.getBoundingClientRect().width)[{}].style.fill"
    check(page.b.run(fill.format(200)) != page.b.run(fill.format(300)), "stretches of a series differ")
    faint = page.b.run(fill.format(300))
    page.pick("opacity", "30")
    check(page.b.run(fill.format(300)) != faint, "series follow opacity")
    box = page.b.run("(() => { const s = [...document.querySelectorAll('.series')].filter(s => s.checkVisibility())[0];"
                     " s.scrollIntoView({block: 'center'}); s.focus(); const b = s.getBoundingClientRect();"
                     " return [b.left, b.top, b.width, b.height]; })()")
    readout = "[...document.querySelectorAll('.series-about .readout')].filter(r => r.offsetParent)[0].textContent"
    page.b.move(box[0] + box[2] * 0.9, box[1] + box[3] / 2)
    page.settle()
    told = page.b.run(readout)
    check("360" in told and told.endswith("2"), f"pointing at a series reads it: {told}")
    page.b.key("ArrowRight", 39)
    check("361" in page.b.run(readout), "arrow keys read the next step")
    page.click("#reset")


def drive_numbers(page):
    box = page.b.run("(() => { const c = document.querySelector('.result canvas'); c.scrollIntoView({block: 'center'});"
                     " const b = c.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()")
    usual = page.text(".readout")
    page.b.move(box[0] + box[2] * 5.5 / 24, box[1] + box[3] * 5.5 / 16)
    page.settle()
    check("column 5, row 5: 2" in page.text(".readout"), "pointing reads a value: " + page.text(".readout"))
    page.b.move(2, 2)
    page.settle()
    check(page.text(".readout") == usual, "pointing elsewhere reads none")
    page.b.run("document.querySelector('.result canvas').focus()")
    page.b.key("ArrowLeft", 37)
    check("column 11, row 8" in page.text(".readout"), "arrow keys begin in the middle: " + page.text(".readout"))
    page.click(".result .numbers summary")
    table = "[...document.querySelectorAll('.result .regions')[0].querySelectorAll('td')].map(t => t.textContent)"
    cells = page.b.run(table)
    check(len(cells) == 49 and max(float(c.replace("−", "-")) for c in cells) > 5, "regions have shares")
    across = page.b.run("[document.querySelector('.result .regions'), document.querySelector('.result')]"
                        ".map(e => e.getBoundingClientRect().right)")
    check(across[0] <= across[1] + 1, f"regions stay in their column: {across}")
    total = sum(abs(float(c.replace("−", "-"))) for c in cells)
    check(abs(total - 100) < 3, f"which are all of it: {total}")
    facts = page.b.run("[...document.querySelectorAll('.result .numbers dd')].map(d => d.textContent)")
    check("0.05 %" in facts and "steps=50" in facts, "the certificate is one click away")
    saved = page.b.run("""new Promise(done => {
      const real = URL.createObjectURL;
      URL.createObjectURL = blob => { blob.text().then(done); return real(blob); };
      HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; };
      document.querySelector('.result .numbers button').click();
    })""")
    rows = [[float(v) for v in line.split(",")] for line in saved.strip().split("\n")]
    check(len(rows) == 16 and len(rows[0]) == 24 and abs(rows[5][5] - 2) < 0.002 and abs(rows[5][21] + 1) < 0.002,
          "values are saved row by row")
    name = page.b.run("savedAs")
    check(name.startswith("ig-top-") and name.endswith(".csv"), "under a telling name")


def drive_keyboard(page):
    """All controls can be reached with the tabulator, and have names."""
    nameless = page.b.run("""[...document.querySelectorAll('input,select,button,canvas,[role=img],summary')].filter(e =>
      !(e.labels && e.labels.length && e.labels[0].textContent.trim()) && !e.getAttribute('aria-label') &&
      !e.textContent.trim() && !e.closest("[aria-hidden]")).map(e => e.outerHTML.slice(0, 80))""")
    check(nameless == [], f"everything has a name: {nameless}")
    page.b.run("document.body.focus(); document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        page.b.key("Tab", 9)
        reached.add(page.b.run("(e => e.id || e.name || e.tagName)(document.activeElement)"))
    for name in ("set-sign", "set-palette", "set-opacity", "set-clip", "set-stretch", "set-under", "set-truth", "reset",
                 "sample", "method", "CANVAS", "SUMMARY"):
        check(name in reached, f"the tabulator reaches {name}")
    page.b.run("document.querySelector('input[name=sample]').focus()")
    page.b.key("ArrowRight", 39)
    page.settle()
    check(page.seen(".columns") == 2, "arrow keys choose a sample")
    page.click("#reset")


def drive_print(page):
    page.b.ask("Emulation.setEmulatedMedia", media="print")
    page.b.run("dispatchEvent(new Event('beforeprint'))")
    check(page.seen(".panel label") == 0 and page.seen(".trust table") == 2, "paper has tables instead of controls")
    check(page.seen(".legend") == 2, "and what the colours mean")
    hidden = page.b.run("[...document.querySelectorAll('.scroll')].filter(e => e.checkVisibility() && "
                        "getComputedStyle(e).overflowX !== 'visible').length")
    check(hidden == 0, "and cuts no table off")
    page.b.run("dispatchEvent(new Event('afterprint'))")
    page.b.ask("Emulation.setEmulatedMedia", media="")
    check(page.seen(".trust table") == 0, "and the screen is as before")


def drive_graph(b, path):
    """The page of `limn summary`."""
    b.open(path, READY)
    place = "document.querySelector('#view svg').style.transform"
    before = b.run(place)
    b.run("document.querySelector('#in').click()")
    check(b.run(place) != before, "the graph grows")
    b.run("document.querySelector('#all').click()")
    before = b.run(place)
    b.run("document.querySelector('#view').focus()")
    b.key("ArrowDown", 40)
    check(b.run(place) != before, "arrow keys move the graph")
    b.run("(box => { box.value = 'relu'; box.dispatchEvent(new Event('input')); })(document.querySelector('#find'))")
    check("found" in b.run("document.querySelector('#hits').textContent"), "the graph is searched")
    check("Relu" in b.run("document.querySelector('#about').innerText"), "and tells of what was found")
    b.run("(box => { box.value = 'no such thing'; box.dispatchEvent(new Event('input')); })"
          "(document.querySelector('#find'))")
    check(b.run("document.querySelector('#about').hidden"), "and of nothing else")
    ground = "[getComputedStyle(document.querySelector('#view')).backgroundColor, " \
             "getComputedStyle(document.querySelector('#view .w')).fill]"
    day = b.run(ground)
    b.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    night = b.run(ground)
    b.ask("Emulation.setEmulatedMedia", features=[])
    check(day[0] == day[1] and night[0] == night[1] != day[0], f"page and graph have one ground: {day} {night}")
    quiet(b, path)


def quiet(b, name):
    check(b.complaints == [], f"{name}: the console is empty: {b.complaints}")
    check(b.requests == [], f"{name}: nothing is asked of the network: {b.requests}")
    b.complaints.clear()


def narrow(b, name, width):
    wide = b.run("document.documentElement.scrollWidth")
    check(wide <= width, f"{name}: nothing is wider than {width}: {wide}")


def without_scripts(path, path_browser):
    b = browser.Browser(path_browser)
    try:
        b.ask("Emulation.setScriptExecutionDisabled", value=True)
        b.open(path)
        root = b.ask("DOM.getDocument", depth=0)["root"]["nodeId"]

        def count(selector):
            return len(b.ask("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"])

        check(count(".result .map") in (0, 12) and count(".columns tr") > 20 and count(".token") == 18 and
              count(".series rect") > 100 and count(".words") == 18 and count(".trust td") > 50,
              "without scripts everything is there")
        check(count("select") == 0, "but no control that does nothing")
    finally:
        b.close()


def main():
    test_report, limn, make_models = sys.argv[1:4]
    keep = sys.argv[4] if len(sys.argv) > 4 else None
    chromium = browser.find()
    if not chromium:
        print("skipped: there is no chromium; install Debian's package of that name\n0 passed, 0 failed")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        pages = [os.path.join(folder, name) for name in ("pictures.html", "bare.html", "command.html")]
        subprocess.run([test_report] + pages[:2], check=True)
        subprocess.run([make_models, folder], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([limn, "explain", folder + "/cnn.onnx", folder + "/image.npy", "--method", "ig,gradcam,lrp",
                        "-o", pages[2], "--lang", "zh"], check=True)
        b = browser.Browser(chromium)
        try:
            for path in pages[:2]:
                page = Page(b, path)
                for drive in (drive_maps, drive_legend, drive_choices, drive_columns, drive_tokens_and_series,
                              drive_numbers, drive_keyboard, drive_print):
                    drive(page)
                quiet(b, path)
                narrow(b, path, 1280)
            drive_link(Page(b, pages[0]))
            page = Page(b, pages[2])
            check(page.seen(".result canvas") == 3, "the command's page has its maps")
            check(b.run("document.documentElement.lang") == "zh", "and its language")
            check("limn explain" in page.text("#again pre") and "--lang zh" in page.text("#again pre"), "says how")
            check(b.run("document.querySelectorAll('.layers tbody tr').length") > 3, "and has layers")
            check(b.run("(() => { const i = new Image(); i.src = document.querySelector('.graph img').src;"
                        " return i.decode().then(() => i.naturalWidth > 100); })()"), "and a graph")
            quiet(b, pages[2])
            subprocess.run([limn, "summary", folder + "/cnn.onnx", "-o", folder + "/graph.html"], check=True,
                           stdout=subprocess.DEVNULL)
            drive_graph(b, folder + "/graph.html")
            b.resize(390, 844)
            for path in pages:
                page = Page(b, path)
                narrow(b, path, 390)
                b.run("document.querySelector('.controls').open = true")
                narrow(b, path + ' with controls', 390)
                cut = b.run("[...document.querySelectorAll('caption,.legend')].filter(e => e.checkVisibility() && "
                            "e.getBoundingClientRect().right > 390 - 14).map(e => e.textContent)")
                check(cut == [], f"{path}: captions and legends are whole: {cut}")
                if keep:
                    b.screenshot(os.path.join(keep, os.path.basename(path) + "-390.png"))
        finally:
            b.close()
        without_scripts(pages[0], chromium)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
