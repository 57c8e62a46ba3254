#pragma once

// What the C++ blocks of the documentation take for granted. Nothing is defined: they are compiled,
// and never linked.

#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <torch/torch.h>

#include <regtorch/regtorch.hpp>

namespace rt = regtorch;

namespace docs {

extern const std::string root;
extern rt::data::CIFAR10 train;
extern rt::transforms::Pipeline<rt::transforms::RandomHorizontalFlip, rt::transforms::Normalize>
    augment;
extern rt::data::Batches batches;
extern rt::data::Batches validation;
extern rt::data::Batch batch;
extern torch::Tensor images;  // of a batch, as the model wants them
extern torch::Tensor labels;
extern torch::Tensor loss;

extern rt::ResNet model;
extern torch::nn::CrossEntropyLoss criterion;
extern rt::FusedAdam optimizer;
extern decltype(rt::Trainer(model, optimizer, criterion, rt::TrainerOptions())) trainer;
extern rt::EarlyStopping stopper;
extern rt::History history;

void train_an_epoch();

}  // namespace docs
