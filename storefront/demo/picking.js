/** All ways by which a photo gets onto the page: picker, camera, drop, paste, samples. */

/** Calls `onNothing` when what is dropped or pasted is no file: a link, say. */
export function picking(inputs, onPhoto, onNothing) {
  const first = (files) => files?.length && onPhoto(files[0]);
  const carried = (data) => (data?.files.length ? first(data.files) : onNothing());

  for (const input of inputs)
    input.addEventListener('change', () => {
      first(input.files);
      input.value = ''; // the same photo may be chosen again
    });
  addEventListener('paste', (event) => carried(event.clipboardData));
  addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.classList.add('dragging');
  });
  addEventListener('dragleave', (event) => event.relatedTarget || document.body.classList.remove('dragging'));
  addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('dragging');
    carried(event.dataTransfer);
  });
}

export function samplePhotos(box, names, onPhoto, onLost) {
  box.replaceChildren(...names.map((name) => sample(name, onPhoto, onLost)));
}

function sample(name, onPhoto, onLost) {
  const button = document.createElement('button');
  button.type = 'button';
  const picture = new Image();
  picture.src = `/photos/${name}`;
  picture.alt = name.split('.')[0];
  button.append(picture);
  button.addEventListener('click', async () => {
    try {
      const blob = await (await fetch(picture.src)).blob();
      onPhoto(new File([blob], name, { type: blob.type }));
    } catch {
      onLost();
    }
  });
  return button;
}
