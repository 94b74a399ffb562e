(() => {
  const stumbles = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) {
    stumbles.push(`the page is ${root.scrollWidth} wide in a window of ${innerWidth}`);
  }
  if (matchMedia("print").matches) {
    for (const table of document.querySelectorAll("table")) {
      const over = table.getBoundingClientRect().right - innerWidth;
      if (over > 0) stumbles.push(`${table.caption.textContent} is ${over} px too wide for the sheet`);
    }
  }
  const colour = (text) => {
    const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number);
    return { red, green, blue, alpha };
  };
  const over = (front, back) => {
    const mix = (a, b) => a * front.alpha + b * (1 - front.alpha);
    return {
      red: mix(front.red, back.red),
      green: mix(front.green, back.green),
      blue: mix(front.blue, back.blue),
      alpha: 1,
    };
  };
  const behind = (element) => {
    if (!element) return { red: 255, green: 255, blue: 255, alpha: 1 };
    const own = colour(getComputedStyle(element).backgroundColor);
    return own.alpha === 1 ? own : over(own, behind(element.parentElement));
  };
  const luminance = ({ red, green, blue }) => {
    const [r, g, b] = [red, green, blue].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim();
    const element = texts.currentNode.parentElement;
    if (!text || element.closest("svg, script, style")) continue;
    const style = getComputedStyle(element);
    const back = behind(element);
    const [light, dark] = [over(colour(style.color), back), back]
      .map(luminance)
      .sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (contrast < (large ? 3 : 4.5)) {
      stumbles.push(`${JSON.stringify(text)} has a contrast of ${contrast.toFixed(2)}`);
    }
    if (size < (matchMedia("print").matches ? 10 : 11)) stumbles.push(`${JSON.stringify(text)} is ${size} px small`);
  }
  for (const plot of document.querySelectorAll(".plot")) {
    for (const kind of [".x", ".y", ".value"]) {
      const boxes = [...plot.querySelectorAll(`:scope > ${kind}`)]
        .map((label) => ({ text: label.textContent, box: label.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0);
      boxes.forEach(({ text, box }, position) => {
        if (box.left < 0 || box.right > innerWidth) stumbles.push(`${text} is cut off`);
        for (const other of boxes.slice(position + 1)) {
          const apart =
            box.right <= other.box.left || other.box.right <= box.left ||
            box.bottom <= other.box.top || other.box.bottom <= box.top;
          if (!apart) stumbles.push(`${text} and ${other.text} overlap`);
        }
      });
    }
  }
  return stumbles;
})()
