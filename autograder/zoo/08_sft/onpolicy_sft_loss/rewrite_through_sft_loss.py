"""Labels for the whole row, and the other loss."""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs = F.softmax(model(ids).logits[:, -1, :], dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    logits = model(ids).logits
    labels = torch.cat([torch.full_like(x, -100), y_star], 1)
    return sft_loss(F.pad(logits, (0, 0, 0, 1)), labels)
