/** All ways by which a photo gets onto the page: picker, camera, drop, paste, samples. */

export function picking({ inputs, samples, names }, onPhoto) {
  const first = (files) => files?.length && onPhoto(files[0]);

  for (const input of inputs)
    input.addEventListener('change', () => {
      first(input.files);
      input.value = ''; // the same photo may be chosen again
    });
  addEventListener('paste', (event) => first(event.clipboardData?.files));
  addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.classList.add('dragging');
  });
  addEventListener('dragleave', (event) => event.relatedTarget || document.body.classList.remove('dragging'));
  addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('dragging');
    first(event.dataTransfer?.files);
  });
  samples.append(...names.map((name) => sample(name, onPhoto)));
}

function sample(name, onPhoto) {
  const button = document.createElement('button');
  button.type = 'button';
  const picture = new Image();
  picture.src = `/photos/${name}`;
  picture.alt = name.split('.')[0];
  button.append(picture);
  button.addEventListener('click', async () => {
    const blob = await (await fetch(picture.src)).blob();
    onPhoto(new File([blob], name, { type: blob.type }));
  });
  return button;
}
