"""PyTorch's side of the benchmark: reads "NET BATCH SECONDS DATA", a line a measurement, trains in
order for about so many seconds on one thread, and answers with the seconds an example took.
DATA is the word dense or the directory that holds MNIST."""
import sys
import time

import torch

ETA = 0.01


def read_idx(path, header, row):
    with open(path, "rb") as file:
        bytes_ = bytearray(file.read())[header:]
    return torch.frombuffer(bytes_, dtype=torch.uint8).view(-1, row)


def examples(data, inputs, outputs):
    if data == "dense":
        x = torch.rand(6000, inputs) + 1e-3
        labels = torch.randint(outputs, (6000,))
    else:
        x = read_idx(data + "/train-images-idx3-ubyte", 16, inputs).float() / 255
        labels = read_idx(data + "/train-labels-idx1-ubyte", 8, 1)[:, 0].long()
    return x, torch.nn.functional.one_hot(labels, outputs).float()


class Trainer:
    def __init__(self, net, batch, data):
        sizes = [int(size) for size in net.split("-")]
        layers = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.Sigmoid()]
        self.net = torch.nn.Sequential(*layers)
        self.descent = torch.optim.SGD(self.net.parameters(), lr=ETA)
        self.batch = batch
        self.x, self.y = examples(data, sizes[0], sizes[-1])
        self.first = 0
        self.step()

    def step(self):
        if self.first + self.batch > len(self.x):
            self.first = 0
        rows = slice(self.first, self.first + self.batch)
        self.first += self.batch
        self.descent.zero_grad(set_to_none=True)
        cost = torch.nn.functional.mse_loss(self.net(self.x[rows]), self.y[rows]) / 2
        cost.backward()
        self.descent.step()

    def time(self, seconds):
        seen, spent, start = 0, 0, time.perf_counter()
        while spent < seconds:
            self.step()
            seen += self.batch
            spent = time.perf_counter() - start
        return spent / seen


torch.set_num_threads(1)
print("ready", torch.__version__, flush=True)
key = trainer = None
for line in sys.stdin:
    net, batch, seconds, data = line.rstrip("\n").split(" ", 3)
    if (net, batch, data) != key:
        trainer = None
        trainer = Trainer(net, int(batch), data)
        key = net, batch, data
    print(trainer.time(float(seconds)), flush=True)
